//! The pre-check against the slow way: fragments expanded one by one.

use async_graphql::parser::parse_query;
use labql::graphql::precheck::{Limits, check_document};
use proptest::prelude::*;

/// A fragment has some fields and spreads of fragments with higher numbers.
#[derive(Clone, Debug)]
struct Fragment {
    fields: u64,
    spreads: Vec<prop::sample::Index>,
}

fn fragments() -> impl Strategy<Value = Vec<Fragment>> {
    let fragment = (
        0..3_u64,
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    )
        .prop_map(|(fields, spreads)| Fragment { fields, spreads });
    prop::collection::vec(fragment, 1..9)
}

fn targets(all: &[Fragment], number: usize) -> Vec<usize> {
    let above = all.len() - number - 1;
    let spreads = &all[number].spreads;
    spreads
        .iter()
        .filter(|_| above > 0)
        .map(|spread| number + 1 + spread.index(above))
        .collect()
}

fn expand(all: &[Fragment], number: usize) -> u64 {
    let below = targets(all, number)
        .into_iter()
        .map(|next| 1 + expand(all, next));
    // One field stands in every fragment, because GraphQL has no empty selection sets.
    1 + all[number].fields + below.sum::<u64>()
}

fn document(all: &[Fragment]) -> String {
    let bodies = (0..all.len()).map(|number| {
        let fields = "hello ".repeat(usize::try_from(all[number].fields).unwrap() + 1);
        let spreads: String = targets(all, number)
            .into_iter()
            .map(|next| format!("...f{next} "))
            .collect();
        format!("fragment f{number} on Query {{ {fields} {spreads} }}\n")
    });
    // All are spread: a document with a fragment that no operation uses is refused.
    let root: String = (0..all.len())
        .map(|number| format!("...f{number} "))
        .collect();
    format!("{{ {root} }}\n{}", bodies.collect::<String>())
}

fn limits(max_nodes: u64) -> Limits {
    Limits {
        max_nodes,
        max_root_fields: u64::MAX,
        max_aliases: u64::MAX,
        ..Limits::default()
    }
}

proptest! {
    #[test]
    fn remembered_sizes_equal_expanded_ones(all in fragments()) {
        let document = parse_query(document(&all)).unwrap();
        let nodes: u64 = (0..all.len()).map(|number| 1 + expand(&all, number)).sum();
        prop_assert!(check_document(&document, &limits(nodes)).is_ok());
        prop_assert!(check_document(&document, &limits(nodes - 1)).is_err());
    }
}

#[test]
fn long_chains_and_cycles_end() {
    let chain = |length: usize, last: &str| {
        let links: String = (0..length)
            .map(|number| format!("fragment f{number} on Query {{ ...f{} }} ", number + 1))
            .collect();
        let text = format!("{{ ...f0 }} {links} fragment f{length} on Query {{ {last} }}");
        check_document(&parse_query(text).unwrap(), &Limits::default())
    };
    assert!(chain(50, "hello").is_ok());
    let cycle = chain(50, "...f0").unwrap_err();
    assert!(cycle.message.ends_with("spreads itself"), "{cycle:?}");
    for last in ["hello", "...f0"] {
        let deep = chain(5_000, last).unwrap_err();
        assert!(deep.message.contains("nested"), "{deep:?}");
    }
}
