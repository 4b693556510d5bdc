#!/bin/bash
# A host with a real systemd as its PID 1, in namespaces of its own over an overlay of this root.
#
#   rig.sh up NAME      boots it (half a second); RIG_BASE/NAME/prep ROOT, if executable, is run
#                       first, to put units, binaries and configuration into its root
#   rig.sh in NAME CMD  runs a command inside: systemctl, journalctl, systemd-run, rusty-cli ...
#   rig.sh pid NAME     the pid of its PID 1, seen from here
#   rig.sh cut NAME     power is lost: kill -9 of that PID 1 ends everything in it
#   rig.sh down NAME    a clean power-off
#
# Why each odd step is there:
# 1. The new PID 1 itself joins the test's cgroup (writes 0), after the pid namespace exists and
#    before the cgroup namespace does; an outer shell that joined would show as pid 0 inside.
# 2. A child of our own cgroup is made in each hierarchy, v1 and unified, and mounted the hybrid
#    way: then MemoryMax and TasksMax work (v1) and IPAddressDeny works (BPF on unified).
# 3. cpuset children need cpus and mems copied before a process may join.
# 4. /sys is read-only, so udev and its friends skip themselves; /dev is a private tmpfs, because
#    journald makes /dev/log there.
# 5. make-rshared after pivot_root: else LoadCredential= gives an empty directory.
# 6. The host's *.wants are emptied and a fixed list masked: nothing of the host's is started.
set -eu
B=${RIG_BASE:-/run/rig}
op=$1
n=$2
shift 2
S=$B/$n

inner() {
	for d in $CGS; do echo 0 >"$d/cgroup.procs"; done
	exec unshare --cgroup "$SELF" _pid1 "$n"
}

mount_cgroups() {
	for d in $CGS; do
		c=${d#/sys/fs/cgroup/}
		c=${c%%/*}
		mkdir "$R/sys/fs/cgroup/$c"
		case $c in
		unified) mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup/$c" ;;
		systemd) mount -t cgroup -o none,name=systemd cgroup "$R/sys/fs/cgroup/$c" ;;
		*) mount -t cgroup -o "$c" cgroup "$R/sys/fs/cgroup/$c" ;;
		esac
	done
}

mount_dev() {
	mount -t tmpfs -o mode=755 dev "$R/dev"
	mkdir "$R/dev/pts" "$R/dev/shm"
	for f in null zero full random urandom tty; do
		: >"$R/dev/$f"
		mount --bind "/dev/$f" "$R/dev/$f"
	done
	ln -s /proc/self/fd "$R/dev/fd"
	ln -s pts/ptmx "$R/dev/ptmx"
	i=0
	for f in stdin stdout stderr; do
		ln -s "/proc/self/fd/$i" "$R/dev/$f"
		i=$((i + 1))
	done
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$R/dev/pts"
}

pid1() {
	mount -t tmpfs -o mode=755 rig "$S/m"
	mkdir "$S/m/up" "$S/m/wk" "$S/m/root"
	R=$S/m/root
	mount -t overlay -o "lowerdir=/,upperdir=$S/m/up,workdir=$S/m/wk" overlay "$R"
	mount -t proc proc "$R/proc"
	mount -t sysfs -o ro sysfs "$R/sys"
	mount -t tmpfs -o mode=755 cg "$R/sys/fs/cgroup"
	mount_cgroups
	mount_dev
	for t in dev/shm:1777 run:755 tmp:1777; do mount -t tmpfs -o "mode=${t#*:}" t "$R/${t%:*}"; done
	U=$R/etc/systemd/system
	mkdir -p "$U"
	rm -rf "$U"/*.wants "$U"/*.requires
	: >"$R/etc/fstab"
	echo "$n" >"$R/etc/hostname"
	printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' >"$U/rig.target"
	for u in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket \
		systemd-udevd-kernel.socket systemd-hwdb-update.service systemd-timesyncd.service \
		systemd-resolved.service systemd-networkd.service systemd-logind.service getty.target \
		systemd-random-seed.service systemd-update-done.service systemd-sysusers.service \
		systemd-machine-id-commit.service systemd-binfmt.service \
		proc-sys-fs-binfmt_misc.automount sys-kernel-debug.mount sys-kernel-tracing.mount \
		dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount \
		systemd-modules-load.service kmod-static-nodes.service networking.service; do
		ln -sf /dev/null "$U/$u"
	done
	[ ! -x "$S/prep" ] || "$S/prep" "$R"
	cd "$R"
	mkdir -p mnt
	pivot_root . mnt
	umount -l /mnt
	mount --make-rshared /
	exec /lib/systemd/systemd --system --unit=rig.target --log-target=journal --show-status=0
}

clean() {
	read -ra dirs <"$S/cgroups"
	for d in "${dirs[@]}"; do
		[ ! -d "$d" ] || find "$d" -depth -type d -exec rmdir {} \; 2>/dev/null || :
	done
	rm -rf "$S/m" "$S/pid" "$S/upid" "$S/cgroups"
}

gone() {
	for _ in $(seq 1000); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.01
	done
	return 1
}

up() {
	mkdir -p "$S/m"
	CGS=
	while IFS=: read -r _ c p; do
		case $c in
		"") d=unified ;;
		name=systemd) d=systemd ;;
		pids | memory | cpu | cpuacct | cpuset | freezer | blkio | devices) d=$c ;;
		*) continue ;;
		esac
		[ -d "/sys/fs/cgroup/$d" ] || continue
		d=/sys/fs/cgroup/$d${p%/}/rig-$n
		mkdir -p "$d"
		CGS="$CGS $d"
		case $c in cpuset)
			for k in cpus mems; do cat "${d%/*}/cpuset.$k" >"$d/cpuset.$k"; done
			;;
		esac
	done </proc/self/cgroup
	echo "$CGS" >"$S/cgroups"
	SELF=$(readlink -f "$0")
	env -i container=rig PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		RIG_BASE="$B" CGS="$CGS" SELF="$SELF" \
		unshare --mount --pid --uts --ipc --net --fork --propagation private \
		"$SELF" _inner "$n" >"$S/console" 2>&1 </dev/null &
	u=$!
	echo $u >"$S/upid"
	for _ in $(seq 2000); do
		p=$(pgrep -P $u || :)
		if [ -n "$p" ] && [ -S "/proc/$p/root/run/systemd/private" ] &&
			nsenter -t "$p" -a systemctl is-active -q rig.target 2>/dev/null; then
			echo "$p" >"$S/pid"
			exit 0
		fi
		kill -0 $u 2>/dev/null || break
		sleep 0.01
	done
	cat "$S/console" >&2
	exit 1
}

case $op in
up) up ;;
_inner) inner ;;
_pid1) pid1 ;;
in) exec nsenter -t "$(cat "$S/pid")" -a "$@" ;;
pid) cat "$S/pid" ;;
cut)
	kill -9 "$(cat "$S/pid")"
	gone "$(cat "$S/upid")"
	clean
	;;
down)
	kill -s RTMIN+4 "$(cat "$S/pid")"
	gone "$(cat "$S/upid")" || kill -9 "$(cat "$S/pid")"
	gone "$(cat "$S/upid")"
	clean
	;;
*)
	sed -n '2,10p' "$0" >&2
	exit 64
	;;
esac
