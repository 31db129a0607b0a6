//! Checks that the numbers of guarantees and sections in code and tests exist, and that each guarantee lists existing, active tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::files::{root, texts};

const GUARANTEES: &str = "docs/guarantees.md";
const BEHAVIOUR: &str = "docs/behaviour.md";
const LAST: u32 = 81;

/// The file with the steps of `cargo xtask test`; some guarantees are checked by a step instead of a test.
const SUITE: &str = "xtask/src/suite.rs";

/// The marker of a guarantee without a test.
const PLANNED: &str = "Planned.";

#[test]
fn each_guarantee_names_tests_that_exist_and_run_or_is_planned() {
    let suite = fs::read_to_string(root().join(SUITE)).expect(SUITE);
    let mut problems = Vec::new();
    for (number, text) in guarantees() {
        let holders: Vec<_> = text.lines().filter_map(holder).collect();
        let steps: Vec<_> = text.lines().filter_map(step).collect();
        let is_planned = text.lines().any(|line| line == PLANNED);
        if (holders.is_empty() && steps.is_empty()) != is_planned {
            problems.push(format!("P{number:02} names tests or is planned"));
        }
        for step in steps {
            if !suite.contains(&format!("(\"{step}\", Self::")) {
                problems.push(format!(
                    "P{number:02} names the step {step}, which does not exist"
                ));
            }
        }
        for (file, patterns) in holders {
            let Ok(source) = fs::read_to_string(root().join(file)) else {
                problems.push(format!("P{number:02} names {file}, which does not exist"));
                continue;
            };
            let tests = tests_in(file, &source);
            for pattern in patterns {
                if !tests.iter().any(|test| matches(&pattern, test)) {
                    problems.push(format!(
                        "P{number:02} names {pattern} of {file}, where no test with this name runs"
                    ));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn each_number_that_code_or_a_test_names_is_a_guarantee() {
    let known: BTreeSet<u32> = guarantees().into_keys().collect();
    assert_eq!(known, (1..=LAST).collect(), "{GUARANTEES}");
    let mut unknown = Vec::new();
    for (file, text) in texts(&[".rs", ".ts", ".md"]) {
        let named = numbers_of_tests(&tests_in(&file, &text))
            .into_iter()
            .chain(numbers_in_prose(&text));
        for number in named.filter(|number| !known.contains(number)) {
            unknown.push(format!("{file} names P{number:02}"));
        }
    }
    assert!(unknown.is_empty(), "not in {GUARANTEES}: {unknown:#?}");
}

#[test]
fn each_section_that_code_or_a_document_names_is_there() {
    let behaviour = fs::read_to_string(root().join(BEHAVIOUR)).expect(BEHAVIOUR);
    let sections: BTreeSet<&str> = behaviour
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split_once(". "))
        .map(|(number, _)| number)
        .collect();
    let mut unknown = Vec::new();
    for (file, text) in texts(&[".rs", ".ts", ".md"]) {
        for section in sections_in(&text) {
            if !sections.contains(section) {
                unknown.push(format!("{file} names section {section}"));
            }
        }
    }
    assert!(unknown.is_empty(), "not in {BEHAVIOUR}: {unknown:#?}");
}

/// Each guarantee with the text below its heading.
fn guarantees() -> BTreeMap<u32, String> {
    let text = fs::read_to_string(root().join(GUARANTEES)).expect(GUARANTEES);
    let mut guarantees = BTreeMap::new();
    for part in text.split("\n### P").skip(1) {
        let (number, rest) = part.split_once('\n').expect("a text below the heading");
        let number = number.parse().expect("a number");
        let text = rest.split("\n## ").next().unwrap_or(rest).to_owned();
        assert!(
            guarantees.insert(number, text).is_none(),
            "P{number:02} has two headings"
        );
    }
    guarantees
}

/// Parses a line "- `file`: `pattern`, `pattern`".
fn holder(line: &str) -> Option<(&str, Vec<String>)> {
    let (file, patterns) = line.strip_prefix("- `")?.split_once("`: ")?;
    let patterns = patterns.split(", `").map(|pattern| {
        let pattern = pattern.trim_start_matches('`');
        pattern.strip_suffix('`').expect("a pattern in backquotes")
    });
    Some((file, patterns.map(str::to_owned).collect()))
}

/// Parses a line "- `cargo xtask test --only step`".
fn step(line: &str) -> Option<&str> {
    line.strip_prefix("- `cargo xtask test --only ")?
        .strip_suffix('`')
}

/// Whether the pattern matches the name; `*` matches any text.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len())
                .filter(|at| name.is_char_boundary(*at))
                .any(|at| matches(rest, &name[at..]))
        }),
    }
}

/// The names of tests that run.
fn tests_in(file: &str, source: &str) -> Vec<String> {
    if file.ends_with(".rs") {
        tests_of_rust(source)
    } else if file.ends_with(".ts") {
        tests_of_playwright(source)
    } else {
        Vec::new()
    }
}

/// Functions with an attribute `test`, such as `#[tokio::test]`, and without `ignore`.
fn tests_of_rust(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let (mut is_test, mut is_ignored) = (false, false);
    for line in source.lines().map(str::trim) {
        if let Some(attribute) = line.strip_prefix("#[") {
            is_test |= attribute.contains("test]") || attribute.contains("test(");
            is_ignored |= attribute.starts_with("ignore");
        } else if let Some((before, after)) = line.split_once("fn ") {
            let is_function = matches!(before, "" | "async " | "pub(crate) " | "pub(crate) async ");
            if is_function && is_test && !is_ignored {
                let name = after.split(['(', '<']).next().unwrap_or(after);
                tests.push(name.to_owned());
            }
            (is_test, is_ignored) = (false, false);
        } else if line.ends_with('}') {
            (is_test, is_ignored) = (false, false);
        }
    }
    tests
}

/// The titles of `test('…')`, without `test.skip` and `test.fixme`. A computed title is empty.
fn tests_of_playwright(source: &str) -> Vec<String> {
    let calls = source
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("test("));
    calls
        .map(|call| {
            let quote = call.chars().next().unwrap_or_default();
            match quote {
                '\'' | '`' | '"' => call[1..].split(quote).next().unwrap_or_default().to_owned(),
                _ => String::new(),
            }
        })
        .collect()
}

/// The numbers in names such as `p34_p46_…` and `p31, p53: …`.
fn numbers_of_tests(tests: &[String]) -> Vec<u32> {
    let mut numbers = Vec::new();
    for test in tests {
        let words = test
            .split(['_', ' ', ',', ':'])
            .filter(|word| !word.is_empty());
        numbers.extend(words.map_while(|word| number(word.strip_prefix('p')?)));
    }
    numbers
}

/// The numbers in words such as `P46`.
fn numbers_in_prose(text: &str) -> Vec<u32> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words
        .filter_map(|word| number(word.strip_prefix('P')?))
        .collect()
}

fn number(digits: &str) -> Option<u32> {
    (digits.len() == 2).then(|| digits.parse().ok()).flatten()
}

/// The numbers after the word "section", except those of another document, such as "RFC 9110, section 7.2".
fn sections_in(text: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    for part in text.split("ection ").skip(1) {
        let end = part.find(|letter: char| !letter.is_ascii_digit());
        let (number, rest) = part.split_at(end.unwrap_or(part.len()));
        let is_part_of_another = rest
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
        if !number.is_empty() && !is_part_of_another {
            sections.push(number);
        }
    }
    sections
}

#[test]
fn names_numbers_and_sections_are_found() {
    let rust = "#[test]\nfn p34_p46_a() {}\n#[tokio::test(flavor = \"x\")]\nasync fn p01_b() {}\n\
                #[test]\n#[ignore]\nfn p02_c() {}\nfn p03_helper() {}\n";
    assert_eq!(tests_of_rust(rust), ["p34_p46_a", "p01_b"]);
    let playwright = "test('p31, p53: after Close', async () => {\n  test.skip('p09: x', f);\n\
                      test(name, f);\n  test(`p12: ${x}`, f);\n";
    let titles = tests_of_playwright(playwright);
    assert_eq!(titles, ["p31, p53: after Close", "", "p12: ${x}"]);
    assert_eq!(numbers_of_tests(&titles), [31, 53, 12]);
    assert_eq!(numbers_of_tests(&tests_of_rust(rust)), [34, 46, 1]);
    assert_eq!(
        numbers_in_prose("//! P05: each (P22). p99, PG, P123"),
        [5, 22]
    );
    assert_eq!(
        sections_in("Section 4 of it; RFC 9110, section 7.2; sections; section 12."),
        ["4", "12"]
    );
    assert!(matches("p31*", "p31, p53: x") && matches("*_p46_*", "p34_p46_a"));
    assert!(!matches("p31_*", "p32_a") && !matches("p31", "p31_a"));
    assert_eq!(
        holder("- `a.rs`: `p1_*`, `b`"),
        Some(("a.rs", vec!["p1_*".to_owned(), "b".to_owned()]))
    );
    assert_eq!(step("- `cargo xtask test --only clients`"), Some("clients"));
}
