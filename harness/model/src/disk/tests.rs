//! Tests of power cuts, syncs, and of what comes back.

use super::*;

const NOW: InodeOrigin = InodeOrigin {
    uid: 0,
    gid: 0,
    now: FileTime {
        seconds: 1,
        nanos: 0,
    },
};

fn make(disk: &mut Disk, name: &str) -> InodeNumber {
    let made = disk.make(ROOT, name.as_bytes(), (FileType::Regular, 0o644), NOW);
    made.unwrap().number
}

fn text(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    let number = disk.lookup(ROOT, name.as_bytes()).ok()?.number;
    let mut bytes = Vec::new();
    disk.read(number, 0, usize::MAX, &mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn a_power_cut_takes_what_was_not_synced_and_nothing_else() {
    let mut disk = Disk::default();
    let kept = make(&mut disk, "kept");
    disk.write(kept, 0, b"durable", None).unwrap();
    disk.sync(kept).unwrap();
    disk.write(kept, 0, b"DURABLE and more", None).unwrap();
    let new = make(&mut disk, "new");
    disk.write(new, 0, &[1; 9000], None).unwrap();
    let loss = disk.cut_power(Unsynced::Lost, 1);
    assert_eq!(
        (loss.blocks_lost, loss.blocks_kept, loss.changes_lost),
        (4, 0, 1)
    );
    assert_eq!(text(&disk, "kept").unwrap(), b"durable");
    assert_eq!(text(&disk, "new"), None);
}

#[test]
fn a_rename_without_a_sync_of_the_file_leaves_an_empty_one() {
    let mut disk = Disk::default();
    let old = make(&mut disk, "config");
    disk.write(old, 0, b"old", None).unwrap();
    disk.sync(old).unwrap();
    let new = make(&mut disk, "config.tmp");
    disk.write(new, 0, b"new", None).unwrap();
    let names = ((ROOT, &b"config.tmp"[..]), (ROOT, &b"config"[..]));
    disk.rename(names.0, names.1, RenameTarget::Replaced, NOW.now)
        .unwrap();
    let mut other = disk.clone();
    disk.sync(ROOT).unwrap();
    disk.cut_power(Unsynced::Lost, 1);
    assert_eq!(text(&disk, "config").unwrap(), b"");
    // Without any sync the rename is lost too, and the old file comes back.
    other.cut_power(Unsynced::Lost, 1);
    assert_eq!(text(&other, "config").unwrap(), b"old");
    assert_eq!(text(&other, "config.tmp"), None);
}

#[test]
fn removed_files_and_cut_ends_come_back() {
    let mut disk = Disk::default();
    let file = make(&mut disk, "file");
    disk.write(file, 0, &[7; 10_000], None).unwrap();
    disk.sync(file).unwrap();
    let cut = InodeChange {
        size: Some(5000),
        ..InodeChange::default()
    };
    disk.change(file, &cut).unwrap();
    disk.remove_file(ROOT, b"file", NOW.now).unwrap();
    disk.cut_power(Unsynced::Lost, 1);
    assert_eq!(text(&disk, "file").unwrap(), [7; 10_000]);
    assert_eq!(disk.used, 3);
}

#[test]
fn the_seed_chooses_the_part_that_is_lost() {
    let state = |seed| {
        let mut disk = Disk::default();
        let file = make(&mut disk, "file");
        disk.write(file, 0, &[1; 16 * BLOCK], None).unwrap();
        disk.sync(file).unwrap();
        disk.write(file, 0, &[2; 16 * BLOCK], None).unwrap();
        disk.cut_power(Unsynced::PartLost, seed);
        text(&disk, "file").unwrap()
    };
    assert_eq!(state(1), state(1));
    assert_ne!(state(1), state(2));
    let one = state(3);
    assert!(one.contains(&1) && one.contains(&2));
    assert!(
        one.chunks(BLOCK)
            .all(|it| it.iter().all(|byte| *byte == it[0]))
    );
}

#[test]
fn torn_blocks_are_new_by_sectors() {
    let mut disk = Disk::default();
    let file = make(&mut disk, "file");
    disk.write(file, 0, &[1; BLOCK], None).unwrap();
    disk.sync(file).unwrap();
    disk.write(file, 0, &[2; BLOCK], None).unwrap();
    disk.begin_fault(1, DiskFault::Torn, 5).unwrap();
    disk.cut_power(Unsynced::Lost, 5);
    let bytes = text(&disk, "file").unwrap();
    assert!(bytes.contains(&1) && bytes.contains(&2));
    assert!(
        bytes
            .chunks(512)
            .all(|it| it.iter().all(|byte| *byte == it[0]))
    );
}

#[test]
fn a_full_disk_takes_what_has_its_space_already() {
    let mut disk = Disk::default();
    let file = make(&mut disk, "file");
    disk.write(file, 0, &[1; 100], None).unwrap();
    let free = crate::topology::Size::bytes(10);
    disk.begin_fault(1, DiskFault::Full { free }, 0).unwrap();
    disk.write(file, 50, &[2; 60], None).unwrap();
    assert_eq!(disk.write(file, 50, &[3; 61], None), Err(DiskError::Full));
    let made = disk.make(ROOT, b"more", (FileType::Regular, 0o644), NOW);
    assert_eq!(made, Err(DiskError::Full));
    disk.end_fault(1);
    disk.write(file, 50, &[3; 61], None).unwrap();
}

#[test]
fn damage_is_mended_where_nobody_has_written_meanwhile() {
    let mut disk = Disk::default();
    let file = make(&mut disk, "a.log");
    disk.write(file, 0, &[0; 5000], None).unwrap();
    disk.begin_fault(1, DiskFault::bit_flip("*.log"), 9)
        .unwrap();
    let wrong = text(&disk, "a.log").unwrap();
    assert_eq!(wrong.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    disk.end_fault(1);
    assert_eq!(text(&disk, "a.log").unwrap(), [0; 5000]);
    let by = crate::topology::Size::bytes(1000);
    disk.begin_fault(2, DiskFault::truncate("*.log", by), 9)
        .unwrap();
    assert_eq!(text(&disk, "a.log").unwrap().len(), 4000);
    disk.end_fault(2);
    assert_eq!(text(&disk, "a.log").unwrap(), [0; 5000]);
    let none = disk
        .begin_fault(3, DiskFault::bit_flip("b"), 9)
        .unwrap_err();
    assert!(none.to_string().contains("a.log"), "{none}");
}

/// Two faults that change the same file end in both orders, and leave it as it was.
#[test]
fn damage_that_overlaps_is_mended_in_any_order() {
    let cut = |bytes| DiskFault::truncate("*.log", crate::topology::Size::bytes(bytes));
    // In a file of one byte, both faults flip a bit of that byte, and with some seeds the same bit.
    let flip = DiskFault::bit_flip("*.log");
    for (size, faults) in [
        (5000, [flip.clone(), cut(4999)]),
        (5000, [cut(4999), flip.clone()]),
        (5000, [cut(1000), cut(3000)]),
        (5000, [cut(4000), cut(3000)]),
        (1, [flip.clone(), flip]),
    ] {
        for (first, seed) in [0, 1]
            .into_iter()
            .flat_map(|it| (0..20).map(move |n| (it, n)))
        {
            let mut disk = Disk::default();
            let file = make(&mut disk, "a.log");
            disk.write(file, 0, &vec![9; size], None).unwrap();
            disk.sync(file).unwrap();
            let used = disk.used;
            disk.begin_fault(0, faults[0].clone(), seed).unwrap();
            disk.begin_fault(1, faults[1].clone(), seed + 7).unwrap();
            disk.end_fault(first);
            disk.end_fault(1 - first);
            let what = format!("{faults:?}, fault {first} ends first, seed {seed}");
            assert_eq!(text(&disk, "a.log").unwrap(), vec![9; size], "{what}");
            assert_eq!(disk.used, used, "{what}");
            disk.cut_power(Unsynced::Lost, 0);
            assert_eq!(text(&disk, "a.log").unwrap(), vec![9; size], "{what}");
        }
    }
}

/// When the first of two faults has ended, the file has the changes of the second fault alone.
#[test]
fn a_cut_lasts_when_an_earlier_one_is_mended() {
    let mut disk = Disk::default();
    let file = make(&mut disk, "a.log");
    disk.write(file, 0, &[9; 5000], None).unwrap();
    for (id, bytes) in [(1, 1000), (2, 300)] {
        let by = crate::topology::Size::bytes(bytes);
        let cut = DiskFault::truncate("*.log", by);
        disk.begin_fault(id, cut, 0).unwrap();
    }
    disk.end_fault(1);
    assert_eq!(text(&disk, "a.log").unwrap().len(), 4700);
    // A write behind the cut has set a new end of the file, so the heal brings no bytes back.
    disk.write(file, 4700, &[8; 10], None).unwrap();
    disk.end_fault(2);
    assert_eq!(text(&disk, "a.log").unwrap().len(), 4710);
}

const LONG: usize = 3 * BLOCK;

/// Returns a disk with a file of synced ones, whose start and end have twos that are not synced.
fn half_synced() -> (Disk, InodeNumber) {
    let mut disk = Disk::default();
    let file = make(&mut disk, "a.log");
    disk.write(file, 0, &[1; LONG], None).unwrap();
    disk.sync(file).unwrap();
    for start in [0, LONG - 10] {
        disk.write(file, start as u64, &[2; 10], None).unwrap();
    }
    (disk, file)
}

fn cut_of(bytes: usize) -> DiskFault {
    DiskFault::truncate("*.log", crate::topology::Size::bytes(bytes as u64))
}

/// Cuts end in a block, between blocks, and before the file.
const CUTS: [usize; 5] = [5, 1000, BLOCK, BLOCK + 1, LONG + 1];

#[test]
fn cuts_and_their_ends_make_nothing_durable() {
    for (bytes, seed) in CUTS.into_iter().zip(0..) {
        let (mut disk, _) = half_synced();
        let (before, used) = (text(&disk, "a.log").unwrap(), disk.used);
        disk.begin_fault(1, DiskFault::bit_flip("*.log"), seed)
            .unwrap();
        disk.begin_fault(2, cut_of(bytes), 0).unwrap();
        disk.end_fault(1);
        let left = LONG.saturating_sub(bytes);
        assert_eq!(text(&disk, "a.log").unwrap(), before[..left], "{bytes}");
        let mut still_cut = disk.clone();
        disk.end_fault(2);
        assert_eq!(text(&disk, "a.log").unwrap(), before, "{bytes}");
        assert_eq!(disk.used, used, "{bytes}");
        let loss = disk.cut_power(Unsynced::Lost, 1);
        assert_eq!((loss.blocks_lost, loss.blocks_kept), (2, 0), "{bytes}");
        assert_eq!(text(&disk, "a.log").unwrap(), [1; LONG], "{bytes}");

        still_cut.cut_power(Unsynced::Lost, 1);
        assert_eq!(text(&still_cut, "a.log").unwrap(), vec![1; left], "{bytes}");
        still_cut.end_fault(2);
        assert_eq!(text(&still_cut, "a.log").unwrap(), [1; LONG], "{bytes}");
        assert_eq!(still_cut.used, used, "{bytes}");
    }
}

#[test]
fn a_sync_during_a_cut_makes_the_whole_file_durable() {
    let of_file = |disk: &mut Disk, file| disk.sync(file).unwrap();
    let of_all = |disk: &mut Disk, _| disk.sync_all();
    for sync in [of_file, of_all] {
        for bytes in CUTS {
            let (mut disk, file) = half_synced();
            let before = text(&disk, "a.log").unwrap();
            disk.begin_fault(1, cut_of(bytes), 0).unwrap();
            sync(&mut disk, file);
            disk.end_fault(1);
            let loss = disk.cut_power(Unsynced::Lost, 1);
            assert_eq!((loss.blocks_lost, loss.blocks_kept), (0, 0), "{bytes}");
            assert_eq!(text(&disk, "a.log").unwrap(), before, "{bytes}");
        }
    }
}

/// What a program has appended and never synced does not come back behind a power cut.
#[test]
fn an_end_that_was_never_synced_is_lost_with_its_size() {
    for ends_first in [true, false] {
        let mut disk = Disk::default();
        let file = make(&mut disk, "a.log");
        disk.write(file, 0, &[1; 100], None).unwrap();
        disk.sync(file).unwrap();
        disk.write(file, 100, &[2; 9000], None).unwrap();
        disk.begin_fault(1, cut_of(4000), 0).unwrap();
        if ends_first {
            disk.end_fault(1);
        }
        disk.cut_power(Unsynced::Lost, 1);
        disk.end_fault(1);
        assert_eq!(text(&disk, "a.log").unwrap(), [1; 100]);
        assert_eq!(disk.used, 1);
    }
}

#[test]
fn a_removed_file_lives_until_it_is_closed_and_gives_its_space_back() {
    let mut disk = Disk::default();
    let file = make(&mut disk, "file");
    disk.open(file, FileAccess::Write).unwrap();
    disk.write(file, 0, &[1; 5000], None).unwrap();
    disk.remove_file(ROOT, b"file", NOW.now).unwrap();
    disk.sync(ROOT).unwrap();
    disk.write(file, 0, &[2; 10], None).unwrap();
    disk.release(file);
    assert_eq!((disk.used, disk.numbers()), (0, vec![ROOT]));
}

#[test]
fn a_read_only_disk_keeps_the_owner_and_the_group() {
    let mut disk = Disk::default();
    let file = make(&mut disk, "file");
    disk.begin_fault(1, DiskFault::ReadOnly, 0).unwrap();
    let (uid, gid) = (Some(7), Some(7));
    let owner = InodeChange {
        uid,
        ..InodeChange::default()
    };
    let group = InodeChange {
        gid,
        ..InodeChange::default()
    };
    for change in [owner, group] {
        assert_eq!(disk.change(file, &change), Err(DiskError::ReadOnly));
    }
    // The kernel tells times of its own accord.
    disk.change(file, &InodeChange::default()).unwrap();
}
