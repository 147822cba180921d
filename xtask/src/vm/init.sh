#!/bin/busybox sh
# PID 1 of the virtual machine: mounts the host's files as the root, runs the command, and ends.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do
    insmod "$module" || echo "init: $module was refused"
done

# The outside listens to these ports, which are known by name. Only one process may open each.
for port in /sys/class/virtio-ports/*; do
    read -r name <"$port/name"
    ln -s "/dev/${port##*/}" "/ports/$name"
done
exec 3>/ports/control
fail() {
    echo "failed $*" >&3
    reboot -f
}

mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose host /lower || fail "mount the files of the host"
mount -t tmpfs -o size=90%,mode=755 memory /upper || fail "mount a tmpfs"
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /system || fail "mount an overlay"
mount -t proc proc /system/proc
mount -t sysfs sysfs /system/sys
mount -t cgroup2 cgroup2 /system/sys/fs/cgroup
mount -t devtmpfs dev /system/dev
mkdir -p /system/dev/pts /system/dev/shm /system/dev/mqueue
mount -t devpts -o ptmxmode=0666,mode=0620,gid=5 devpts /system/dev/pts
mount -t mqueue mqueue /system/dev/mqueue
ln -sf /proc/self/fd /system/dev/fd
chmod 666 /system/dev/net/tun
for directory in dev/shm tmp run; do
    mount -t tmpfs -o mode=1777 tmpfs "/system/$directory"
done
chmod 755 /system/run
hostname snowglobe-vm
ip link set lo up

# The user of the command could not reach the workspace outside, nor make files in its directories,
# for they belong to somebody else. In the machine both are allowed.
. /run/open

echo "ready $(uname -r)" >&3
mkfifo /ports/out.pipe /ports/err.pipe
cat /ports/out.pipe >/ports/out &
out=$!
cat /ports/err.pipe >/ports/err &
err=$!
# A process in a mere chroot may not make user namespaces (`unshare(2)`). So the system
# becomes the root of all, and this script goes on in the first root.
cd /system && mount --move . / || fail "make the files of the host the root"
chroot . /bin/sh -c "$(cat /run/command)" </dev/null 3>&- >/ports/out.pipe 2>/ports/err.pipe
code=$?
# Processes that the command left running hold the pipes open.
for process in /proc/[0-9]*; do
    case ${process##*/} in
        1 | $out | $err) ;;
        *) kill -9 "${process##*/}" 2>/dev/null ;;
    esac
done
wait $out $err
echo "exit $code" >&3
reboot -f
