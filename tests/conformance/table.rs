//! Keeps `table.md` complete: every check of the checklist is in it once, every test it names exists, and a test is named in the
//! rows of exactly those checks that its own name tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The numbers of the checklist, by chapter.
const CHECKLIST: [RangeInclusive<u16>; 14] = [
    1..=19,
    20..=46,
    50..=66,
    70..=81,
    90..=95,
    100..=112,
    120..=131,
    140..=153,
    160..=163,
    170..=185,
    200..=215,
    220..=232,
    240..=245,
    250..=256,
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// Rows of the table: number of the check, and the entries behind it.
fn rows() -> Vec<(u16, Vec<String>)> {
    let table = fs::read_to_string(directory().join("table.md")).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| B-"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [number, entries] = cells[..] else { panic!("a row has two cells: {row}") };
        let entries = entries.split(", ").map(|entry| entry.trim_matches('`').to_owned());
        (number.parse().unwrap(), entries.collect())
    })
    .collect()
}

/// All tests as `module::function`, from the sources.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    collect_tests(&directory(), "", &mut tests);
    tests
}

fn collect_tests(directory: &Path, module: &str, tests: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let inner = format!("{module}{name}::");
        if path.is_dir() {
            collect_tests(&path, &inner, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            tests.extend(functions(&fs::read_to_string(&path).unwrap()).map(|function| format!("{inner}{function}")));
        }
    }
}

/// The functions of a source file that are tests.
fn functions(source: &str) -> impl Iterator<Item = &str> {
    source.split("#[test]").chain(source.split("#[tokio::test]")).skip(1).filter_map(|rest| {
        let line = rest.trim_start().lines().next()?;
        let declaration = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
        declaration.split('(').next()
    })
}

/// The checks that a test decides by its name: `b_020_to_024_…`, `b_001_010_…`.
fn checks(test: &str) -> BTreeSet<u16> {
    let function = test.rsplit("::").next().unwrap();
    let Some(mut rest) = function.strip_prefix("b_") else { return BTreeSet::new() };
    let mut checks = BTreeSet::new();
    let mut last = None;
    loop {
        let (word, tail) = rest.split_once('_').unwrap_or((rest, ""));
        match (word.parse::<u16>(), last) {
            (Ok(number), None | Some((_, false))) => {
                checks.insert(number);
                last = Some((number, false));
            }
            (Ok(number), Some((first, true))) => {
                checks.extend(first..=number);
                last = Some((number, false));
            }
            (Err(_), Some((first, false))) if word == "to" => last = Some((first, true)),
            (Err(_), _) => return checks,
        }
        rest = tail;
    }
}

#[test]
fn names_tell_the_checks() {
    let numbers = |name| checks(name).into_iter().collect::<Vec<_>>();
    assert_eq!(numbers("queues::b_020_to_023_unsecured"), [20, 21, 22, 23]);
    assert_eq!(numbers("syntax::b_001_010_019_words"), [1, 10, 19]);
    assert_eq!(numbers("links::b_170_172_to_174_of_2_queues"), [170, 172, 173, 174]);
    assert!(numbers("links::another").is_empty());
}

#[test]
fn every_check_has_a_row() {
    let numbers: Vec<_> = rows().into_iter().map(|(number, _)| number).collect();
    let checklist: Vec<_> = CHECKLIST.into_iter().flatten().collect();
    assert_eq!(numbers, checklist);
}

#[test]
fn every_row_names_tests_that_exist() {
    let tests = tests();
    for (number, entries) in rows() {
        for entry in entries {
            assert!(tests.contains(&entry), "B-{number:03} names {entry:?}, which is no test");
        }
    }
}

/// `docs/differences.md` says of each difference which test proves it.
#[test]
fn differences_name_tests_that_exist() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let document = fs::read_to_string(document).unwrap();
    let tests = tests();
    let named: Vec<_> = document.split('`').filter(|word| word.contains("::")).collect();
    assert!(named.len() > 10, "{named:?}");
    for test in named {
        assert!(tests.contains(test), "{test} is no test");
    }
}

#[test]
fn every_test_is_in_the_rows_of_its_checks() {
    let mut rows_of: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for (number, entries) in rows() {
        for entry in entries {
            rows_of.entry(entry).or_default().insert(number);
        }
    }
    for test in tests() {
        assert_eq!(rows_of.remove(&test).unwrap_or_default(), checks(&test), "{test}");
    }
}
