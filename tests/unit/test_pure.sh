#!/bin/bash
# Consensus is pure: it links with nothing that could do I/O, read a clock, log, or draw random
# numbers, and no instruction of it computes with floating point. Prints what breaks this.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
libs=("$build/lib/librc_consensus.a" "$build/lib/librc_types.a")
bad=0

# What may be called outside of the two libraries, as whole names. Sanitizers and coverage bring
# their own.
allowed='memchr|memcmp|memcpy|memmove|memset|strchr|strcmp|strlen|strnlen|strspn|qsort|snprintf'
allowed+='|__assert_fail|__stack_chk_fail|__popcountdi2|__[a-z]+_chk|_GLOBAL_OFFSET_TABLE_'
allowed+='|__[atu]san_.*|__ubsan_.*|__gcov_.*|__sanitizer_.*|mangled_path'
# Of ours: memory, buffers, arenas, hexadecimal, the text of an error; and crypto's pure calls.
allowed+='|rc_(arena|buf|hex|error)_[a-z0-9_]*|rc_(alloc|alloc_array|realloc_array|memdup|freep|wipe)'
allowed+='|rc_decimal(_fixed)?'
allowed+='|rc_sha256(d|_[a-z_]*)?|rc_tagged_[a-z_]*|rc_xonly_[a-z_]*|rc_schnorr_verify|rc_siphash'

undefined=$(nm -u "${libs[@]}" | awk '$1 == "U" {print $2}' | sort -u)
defined=$(nm --defined-only "${libs[@]}" | awk 'NF == 3 {print $3}' | sort -u)
[ -n "$undefined" ] && [ -n "$defined" ] || { echo "nm found nothing in ${libs[*]}"; exit 1; }
strangers=$(comm -23 <(echo "$undefined") <(echo "$defined") | grep -vxE "$allowed")
if [ -n "$strangers" ]; then
	echo "consensus or types call what they may not:"
	echo "$strangers"
	bad=1
fi

# No state of its own that could differ between two calls: no variable in .data or .bss. (Tables of
# pointers are in .data.rel.ro, which nobody can write.) Sanitizers and coverage add theirs.
state=$(objdump -t "${libs[@]}" | awk '$3 == "O" && $4 ~ /^\.(data|bss)$/ || $4 == "*COM*" {print $NF}')
if [ "$build" = build ] && [ -n "$state" ]; then
	echo "consensus or types have variables that can change:"
	echo "$state"
	bad=1
fi

if [ "$(uname -m)" = x86_64 ]; then
	floats=$(objdump -d --no-show-raw-insn "${libs[@]}" |
		grep -E '\s(add|sub|mul|div|sqrt|comi|ucomi|cvt[a-z0-9]*)(s|p)(s|d)\b|\sf(ld|st|add|mul|div)[a-z]*\s')
	if [ -n "$floats" ]; then
		echo "consensus or types compute with floating point:"
		echo "$floats" | head -5
		bad=1
	fi
fi
exit $bad
