#!/bin/bash
# House rules that a machine can see (style.md, 21). Prints what breaks one and exits 1.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
complain() { # what, lines
	if [ -n "$2" ]; then
		printf '%s:\n%s\n' "$1" "$2" | sed '2,$s/^/    /'
		bad=1
	fi
}
mapfile -t c_files < <(git ls-files '*.c' '*.h')
mapfile -t src_files < <(git ls-files 'libcommon/*.[ch]' 'daemons/*.[ch]' 'tools/*.[ch]')
fence() { # pattern, files that may, why
	local hits
	hits=$(grep -nE "$1" "${src_files[@]}" 2>/dev/null | grep -vE "^($2):")
	complain "$3" "$hits"
}

fence '<zmq\.h>' 'libcommon/bus/[a-z]*\.[ch]' 'zmq.h belongs to libcommon/bus'
fence '<rocksdb/c\.h>' 'libcommon/store/[a-z]*\.[ch]' 'rocksdb/c.h belongs to libcommon/store'
fence '<systemd/sd-journal\.h>' 'libcommon/base/log\.c' 'sd-journal.h belongs to base/log.c'
fence '<systemd/sd-daemon\.h>' 'libcommon/service/notify\.c' 'sd-daemon.h belongs to service/notify.c'
fence '<systemd/sd-event\.h>' 'libcommon/bus/loop\.[ch]|libcommon/bus/loop\.h' 'sd-event.h belongs to bus/loop'
fence '<openssl/sha\.h>' 'libcommon/crypto/sha256[a-z_0-9]*\.c' 'openssl/sha.h belongs to crypto/sha256'
fence '\b(strcpy|strcat|sprintf|gets|strtok|alloca|tmpnam|system)\(' '-' 'banned call'
fence '(^|[^a-z*] *)\b(float|double)\b[ *]+[a-z_]+ *[;=,()[]|\((float|double)\)' 'libcommon/(base|service|bus|client|store)/.*|daemons/.*|tools/.*' 'no floating point in consensus'
fence 'TODO|FIXME|XXX|HACK' '-' 'unfinished work belongs in README, not in the code'
complain 'generated types only in handlers, clients and the bus' "$(grep -lE '"proto/.*pb-c\.h"' "${src_files[@]}" 2>/dev/null |
	grep -vE '^(libcommon/(bus|client|service|link)/|daemons/[a-z]+/([a-z_]*handlers|events)\.[ch]|tools/)' | grep -vE 'daemons/peerd/')"
complain 'a source file over 1,000 lines' "$(wc -l "${c_files[@]}" 2>/dev/null | awk '$2 != "total" && $1 > 1000 {print $2": "$1}')"
complain 'a file without a sentence on why it exists' "$(for f in "${c_files[@]}"; do head -c2 "$f" | grep -q '/\*' || echo "$f"; done)"
complain 'own header comes first' "$(for f in $(git ls-files 'libcommon/*.c'); do
	h=${f#libcommon/}; h=${h%.c}.h
	[ -f "libcommon/$h" ] || continue
	[ "$(grep -m1 '^#include' "$f")" = "#include \"$h\"" ] || echo "$f"
done)"
complain 'names of copies' "$(git ls-files | grep -E '_(new|old|fixed|backup|copy|v2)\.')"
if command -v clang-format >/dev/null; then
	complain 'layout (clang-format -i mends it)' "$(printf '%s\n' "${c_files[@]}" |
		xargs -r clang-format --dry-run --Werror 2>&1 | grep -E 'error:' | cut -d: -f1 | sort | uniq -c)"
fi
mapfile -t sh_files < <(git ls-files '*.sh' .ci/run)
complain 'shellcheck' "$(shellcheck -e SC2015 -x "${sh_files[@]}" 2>&1)"
mapfile -t man_files < <(git ls-files 'man/*.[1-9]')
[ ${#man_files[@]} = 0 ] || complain 'mandoc' "$(mandoc -T lint -W warning "${man_files[@]}" 2>&1 | grep -vE 'STYLE|referenced manual not found|lacks document header')"
[ $bad = 0 ] && echo "lint: clean"
exit $bad
