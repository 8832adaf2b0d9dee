use super::*;
use crate::files::faults::{Fault, FaultyFs, Logged, RecordingFs, cut_power_everywhere};
use crate::train::small_checkpoint;
use std::fs;
use tempfile::tempdir;

fn flip_a_bit(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn the_newest_by_number_is_restored_and_old_ones_go() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("checkpoints");
    let mut history = History::open(&path, 2).unwrap();
    assert!(matches!(history.latest_verified(), Err(CheckpointError::NoCheckpoint { .. })));
    for step in [2, 9, 10, 100] {
        history.save(&small_checkpoint(step)).unwrap();
        let restored = history.latest_verified().unwrap();
        assert_eq!((restored.checkpoint, restored.warnings), (small_checkpoint(step), vec![]));
    }
    assert_eq!(history.steps().unwrap(), [100, 10]);
    history.save(&small_checkpoint(100)).unwrap(); // saved again after a resume
    assert_eq!(history.steps().unwrap(), [100, 10]);
    // What is not a checkpoint's name is neither read nor removed.
    for name in ["step-007", "step-", "step-+8", "step-x", "notes"] {
        fs::create_dir(path.join(name)).unwrap();
    }
    history.save(&small_checkpoint(101)).unwrap();
    assert_eq!(history.steps().unwrap(), [101, 100]);
    assert_eq!(names_in(&path).unwrap().len(), 2 + 5);
    assert_eq!(History::open(&path, 0).unwrap().keep, 2);
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_previous_used() {
    let dir = tempdir().unwrap();
    let mut history = History::open(dir.path(), 3).unwrap();
    for step in 1..=3 {
        history.save(&small_checkpoint(step)).unwrap();
    }
    for (damaged, file) in [(3, "model.safetensors"), (2, "state.json")] {
        flip_a_bit(&history.path_of(damaged).join(file));
        let restored = history.latest_verified().unwrap();
        assert_eq!(restored.checkpoint, small_checkpoint(damaged - 1));
        assert_eq!(restored.path, history.path_of(damaged - 1));
        assert_eq!(restored.warnings.len() as u64, 4 - damaged);
        let warning = restored.warnings.last().unwrap();
        for part in
            [&format!("step-{damaged}/{file}"), &format!("step-{} is used instead", damaged - 1), "sha256"]
        {
            assert!(warning.contains(part), "{warning}");
        }
    }
    fs::remove_file(history.path_of(1).join("manifest.json")).unwrap();
    let message = history.latest_verified().unwrap_err().to_string();
    for part in ["none of the 3", "step-3/model.safetensors", "step-2/state.json", "step-1/manifest.json"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn damaged_checkpoints_do_not_count_as_kept() {
    let dir = tempdir().unwrap();
    let mut history = History::open(dir.path(), 2).unwrap();
    for step in 1..=2 {
        history.save(&small_checkpoint(step)).unwrap();
    }
    flip_a_bit(&history.path_of(2).join("model.safetensors"));
    let mut history = History::open(dir.path(), 2).unwrap(); // a new process has to look for itself
    history.save(&small_checkpoint(3)).unwrap();
    assert_eq!(history.steps().unwrap(), [3, 2, 1]);
    history.save(&small_checkpoint(4)).unwrap();
    assert_eq!(history.steps().unwrap(), [4, 3]);
}

#[test]
fn a_renamed_checkpoint_is_not_trained_under_the_wrong_number() {
    let dir = tempdir().unwrap();
    let mut history = History::open(dir.path(), 2).unwrap();
    history.save(&small_checkpoint(1)).unwrap();
    fs::rename(history.path_of(1), history.path_of(7)).unwrap();
    let message = history.latest_verified().unwrap_err().to_string();
    assert!(message.contains("expected the checkpoint of step 7, found that of step 1"), "{message}");
}

#[test]
fn a_crash_at_any_operation_loses_at_most_the_one_being_saved() {
    for fault in [Fault::Crash(0), Fault::Crash(3), Fault::Error(std::io::ErrorKind::StorageFull)] {
        for at in 0.. {
            let dir = tempdir().unwrap();
            let mut history = History::open(dir.path(), 2).unwrap();
            history.save(&small_checkpoint(1)).unwrap();
            history.save(&small_checkpoint(2)).unwrap();
            let fs = FaultyFs::new(at, fault);
            let result = history.save_on(&fs, &small_checkpoint(3));
            let mut next_start = History::open(dir.path(), 2).unwrap();
            let restored = next_start.latest_verified().unwrap();
            assert!([2, 3].contains(&restored.checkpoint.iter));
            assert_eq!(restored.checkpoint, small_checkpoint(restored.checkpoint.iter));
            assert!(result.is_err() || restored.checkpoint.iter == 3);
            assert!(restored.warnings.is_empty(), "{:?}", restored.warnings);
            next_start.save(&small_checkpoint(4)).unwrap();
            assert_eq!(next_start.steps().unwrap().len(), 2);
            if !fs.struck.get() {
                assert!(at > 15);
                break;
            }
        }
    }
}

#[test]
fn a_power_failure_anywhere_loses_at_most_the_one_being_saved() {
    let dir = tempdir().unwrap();
    let mut history = History::open(dir.path(), 2).unwrap();
    let recording = RecordingFs::default();
    // 3 is saved twice: a run resumed from 2 comes by it again.
    for step in [1, 2, 3, 3, 4] {
        history.save_on(&recording, &small_checkpoint(step)).unwrap();
        recording.log(Logged::Note(step));
    }
    let states = cut_power_everywhere(dir.path(), &recording.0.borrow(), |disk, saved| {
        let history = History::open(disk, 2).unwrap();
        match (history.latest_verified(), saved) {
            (Ok(restored), saved) => {
                assert!(restored.checkpoint.iter >= saved.unwrap_or(0));
                assert_eq!(restored.checkpoint, small_checkpoint(restored.checkpoint.iter));
            }
            (Err(CheckpointError::NoCheckpoint { .. }), None) => {}
            (Err(error), saved) => panic!("after step {saved:?}: {error}"),
        }
    });
    assert!(states > 2000, "only {states} states");
}
