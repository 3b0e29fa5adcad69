# The story that `make linux` tells, in the guest. A line "== STEP" begins a step, "pass: " or "FAIL: "
# a check, "note: " what is worth to be seen. sim/qemu/story.py brings the files below /story and checks
# what only the host can: the images, and the core.
step() { echo "== $*"; }
note() { echo "note: $*"; }
check() {                               # check WHAT COMMAND...
    what=$1; shift
    if "$@" > /tmp/said 2>&1; then echo "pass: $what"
    else echo "FAIL: $what"; sed 's/^/    /' /tmp/said
    fi
}
not() { ! "$@"; }
# direct UID PROGRAM...: a program of Debian's, unmodified; the preload library takes its files to the SSD.
direct() {
    SIOMMU_PRELOAD_COUNTS=1 LD_PRELOAD=/story/preload.so /story/as "$@" 2> /tmp/errors
    status=$?
    grep -v '^siommu: direct' /tmp/errors
    grep '^siommu: direct' /tmp/errors >> /tmp/counts
    return $status
}
# What went which way since the last time; fails if nothing went directly.
tell() {
    awk '{ direct += $3; kernel += $5; bytes += $7 } END {
        printf "note: %d commands directly, %d calls through the kernel, %d KiB\n",
               direct, kernel, bytes / 1024; exit !direct }' /tmp/counts
    told=$?
    rm -f /tmp/counts
    return $told
}
ALICE=1000 BOB=1001
debug=/sys/kernel/debug/siommu

step "probe"
mount -t debugfs none /sys/kernel/debug
check "the kernel's own NVMe driver finds the first SSD" test -b /dev/nvme0n1
check "and the second" test -b /dev/nvme1n1
dmesg -c > /dev/null
check "the module loads" insmod /story/siommu.ko
check "/dev/siommu is there, for everybody" test -c /dev/siommu
note "$(dmesg | grep -c 'direct queues, requester') SSDs with direct queues behind the SIOMMU"

step "mount, and the kernel's way"
mkdir -p /mnt/one /mnt/two
check "the first file system" mount -t ext4 /dev/nvme0n1 /mnt/one
check "the second" mount -t ext4 /dev/nvme1n1 /mnt/two
chmod 777 /mnt/one /mnt/two
check "the kernel reads all files as the host wrote them" sha256sum -c /story/sums
note "$(wc -l < /story/sums) files"

step "direct reads"
check "alice's files, SHA-256 equal" direct $ALICE /debian/sha256sum -c /story/sums.$ALICE
check "bob's files, SHA-256 equal" direct $BOB /debian/sha256sum -c /story/sums.$BOB
note "by the kernel: the holes of sparse.img, a page each"
check "alice cannot open bob's diary" not direct $ALICE /debian/sha256sum /mnt/one/home/bob/diary.txt
check "they went directly" tell
cat /tmp/said

step "direct writes"
check "a copy by cp" direct $ALICE /debian/cp /mnt/one/home/alice/library.tar /mnt/one/copy
check "a copy by dd, onto the other SSD" \
    direct $ALICE /debian/dd if=/mnt/one/home/alice/library.tar of=/mnt/two/copy bs=64k
check "blocks written over, in place" direct $ALICE /debian/dd if=/mnt/one/shared/manual.txt \
    of=/mnt/one/copy bs=4096 count=40 seek=5 skip=3 conv=notrunc
check "the kernel reads what was written" sha256sum -c /story/sums.written
check "they went directly" tell
cat /tmp/said

step "sqlite3"
check "3,000 rows are inserted" direct $BOB /debian/sqlite3 /mnt/two/base "
    create table rows(n integer primary key, word text);
    with recursive count(n) as (select 1 union all select n + 1 from count where n < 3000)
    insert into rows select n, 'word ' || n from count;"
direct $BOB /debian/sqlite3 /mnt/two/base "update rows set word = 'other' where n % 7 = 0;
    delete from rows where n > 2900; vacuum; select count(*), sum(n) from rows where word = 'other';
    PRAGMA integrity_check;" > /tmp/answer
check "queries answer rightly, and the database is whole" \
    test "$(tr '\n' ' ' < /tmp/answer)" = "414|601335 ok "
check "the kernel finds it whole" \
    test "$(/debian/sqlite3 /mnt/two/base 'PRAGMA integrity_check')" = ok
check "it went directly" tell
cat /tmp/said

step "different rights on one file"
/story/rights /mnt/one/rights

step "what must fail"
/story/misuse /mnt/one /mnt/two | sed 's/ cycle [0-9]*$//'

step "traffic, and the kernel at work under it"
/story/traffic /mnt/two/traffic

step "the core"
note "$(awk '{ sum += $2 } END { print sum }' $debug/faults) fault records; most are of holes"
grep -E '^(pages|l1_hits|l2_hits|misses|table_reads|invalidations|fences|faults_lost) ' $debug/counters
check "no fault record was lost" grep -q '^faults_lost 0$' $debug/counters

step "the end"
check "no address space is left" test ! -s $debug/spaces
check "no file is held" test ! -s $debug/files
check "what was made can be removed" rm /mnt/one/rights /mnt/two/traffic /mnt/one/mine /mnt/one/theirs
check "the module is removed" rmmod siommu
check "the file systems are unmounted" umount /mnt/one /mnt/two
dmesg | grep -v 'module verification failed' > /tmp/log
check "the kernel has nothing to complain of" \
    not grep -i -E 'warn|bug:|oops|call trace|error|fail|stopped|leak' /tmp/log
