use std::collections::BTreeMap;

use super::*;
use crate::series::{Sample, Series};

fn stored() -> Recording {
    serde_json::from_str(include_str!("../../tests/fixture/book/recordings/unconsumed-send.json")).unwrap()
}

/// The stored recording with other values of the headline gauge in `leak`, a second apart.
fn with_leak(values: &[u64]) -> Recording {
    let mut series = Series::default();
    for (i, value) in values.iter().enumerate() {
        let phase = if i + 1 < values.len() { Phase::Load } else { Phase::Quiet };
        let gauges = BTreeMap::from([("tasks".to_owned(), *value)]);
        series.push(&Sample { elapsed_ms: 1000 * i as u64, phase, units_done: 0, gauges }, *value);
    }
    let mut recording = stored();
    recording.sides.get_mut("leak").unwrap().series = series;
    recording
}

#[test]
fn an_empty_record_is_an_error_and_not_an_empty_picture() {
    let error = svg(&with_leak(&[]), &["leak", "fix"]).unwrap_err();
    assert_eq!(error.to_string(), "the side `leak` has no sample of `tasks`");
    assert_eq!(svg(&stored(), &[]).unwrap_err().to_string(), "no side to draw");
}

#[test]
fn a_side_that_was_not_recorded_is_an_error_that_names_the_sides_there_are() {
    let error = svg(&stored(), &["leak", "wrong"]).unwrap_err();
    assert_eq!(error.to_string(), "no side `wrong` is recorded, only fix, leak");
}

#[test]
fn one_sample_and_all_zero_are_drawn_inside_the_paper() {
    for values in [&[0][..], &[7], &[0, 0, 0], &[0, 0]] {
        let drawing = svg(&with_leak(values), &["leak"]).unwrap();
        assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{drawing}");
        for pair in drawing.split("points=\"").nth(1).unwrap().split('"').next().unwrap().split(' ') {
            let (x, y) = pair.split_once(',').unwrap();
            assert!((0.0..=WIDTH).contains(&x.parse().unwrap()), "{pair} of {values:?}");
            assert!((0.0..=HEIGHT).contains(&y.parse().unwrap()), "{pair} of {values:?}");
        }
    }
}

#[test]
fn a_recorded_pair_is_drawn_in_three_kilobytes_with_both_ends_labelled() {
    let drawing = svg(&stored(), &["leak", "fix"]).unwrap();
    assert!(drawing.contains(">leak 1,200</text>") && drawing.contains(">fix 0</text>"), "{drawing}");
    assert!(drawing.contains("role=\"img\"") && drawing.contains(">quiet</text>"));
    assert!(drawing.len() <= 3072, "{} bytes", drawing.len());
    assert!(!drawing.contains('\n'), "an empty line would end mdBook's HTML block");
}

#[test]
fn a_hundred_thousand_samples_stay_small() {
    let climbing: Vec<u64> = (0..100_000).map(|i| i * 3).collect();
    assert!(svg(&with_leak(&climbing), &["leak"]).unwrap().len() < 3072);
}

#[test]
fn the_words_say_what_the_line_does() {
    let said = |values: &[u64]| story(&with_leak(values), &["leak"]).unwrap();
    assert_eq!(said(&[0, 0]), "Live tasks over 1.0 seconds: leak stays at 0.");
    assert_eq!(said(&[3, 9, 3]), "Live tasks over 2.0 seconds: leak never exceeds 9 and ends at 3.");
    assert_eq!(
        said(&[0, 900, 1200]),
        "Live tasks over 2.0 seconds: leak climbs from 0 to 1,200 and stays there after the load ends."
    );
    assert_eq!(said(&[0, 8, 4]), "Live tasks over 2.0 seconds: leak climbs from 0 to 8 and ends at 4.");
    assert_eq!(said(&[8, 1]), "Live tasks over 1.0 seconds: leak falls from 8 to 1.");
    assert_eq!(said(&[]), "Live tasks over 0.0 seconds: leak has no sample.");
}

#[test]
fn axis_steps_are_round() {
    assert_eq!([0.02, 0.3, 1.0, 2.2, 240.0, 900.0].map(round_step), [0.02, 0.5, 1.0, 5.0, 500.0, 1000.0]);
    assert_eq!(steps(0.3, 0.1).count(), 4);
}

#[test]
fn end_labels_do_not_cover_each_other() {
    assert_eq!(spread(vec![100.0, 200.0]), [100.0, 200.0]);
    assert_eq!(spread(vec![200.0, 200.0]), [182.0, 200.0]);
    assert_eq!(spread(vec![199.0, 200.0, 190.0]), [182.0, 200.0, 164.0]);
}

#[test]
fn only_points_on_the_line_between_others_are_left_out() {
    assert_eq!(simplify(&[(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]), [(0.0, 0.0), (2.0, 2.0)]);
    assert_eq!(simplify(&[(0.0, 0.0), (1.0, 9.0), (2.0, 2.0)]).len(), 3);
    assert_eq!(simplify(&[]), []);
}
