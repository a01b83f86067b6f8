//! Numbers that follow from a configuration, by the formulas of Autosubmit and its API.

use super::SectionSettings;

/// Processors of a job. With `:` the parts run side by side on nodes of 36 processors (those of `MareNostrum`), and each is
/// rounded up to whole nodes; otherwise the number itself. 0 if it is none.
pub fn processor_count(text: &str) -> u64 {
    const NODE: u64 = 36;
    if !text.contains(':') {
        return number(text).unwrap_or(0);
    }
    text.split(':')
        .map(|part| Some(number(part)?.div_ceil(NODE).saturating_mul(NODE)))
        .try_fold(0_u64, |sum, part| Some(sum.saturating_add(part?)))
        .unwrap_or(0)
}

/// Nodes that a job takes: NODES if given; else processors over TASKS; else processors over the processors of a node
/// if there are more of them; else 1. At least 1.
pub fn estimated_nodes(settings: &SectionSettings) -> u64 {
    let processors = settings.processor_count();
    let given = |text: &Option<String>| text.as_deref().and_then(number);
    let nodes = match (
        given(&settings.nodes),
        given(&settings.tasks),
        given(&settings.processors_per_node),
    ) {
        (Some(nodes), _, _) => nodes,
        (None, Some(tasks @ 1..), _) => processors.div_ceil(tasks),
        (None, _, Some(node @ 1..)) if node < processors => processors.div_ceil(node),
        _ => 1,
    };
    nodes.max(1)
}

/// Processing elements: the processors that a job occupies, used or not. Whole nodes, unless it fits in one that it
/// does not have for itself; plain processors where the size of a node is unknown.
pub fn processing_elements(settings: &SectionSettings) -> u64 {
    let processors = settings.processor_count();
    let Some(node) = settings.processors_per_node.as_deref().and_then(number) else {
        return processors;
    };
    if let Some(nodes) = settings.nodes.as_deref().and_then(number) {
        return nodes.saturating_mul(node);
    }
    let nodes = estimated_nodes(settings);
    if !settings.exclusive && nodes <= 1 && processors <= node {
        processors
    } else {
        nodes.saturating_mul(node)
    }
}

/// Simulated years in a chunk; 0 for an unknown unit. Months are twelfths, days 365ths and hours 8760ths of a year.
#[allow(clippy::cast_precision_loss, reason = "chunks are small")]
pub fn years_per_chunk(unit: &str, size: i64) -> f64 {
    let size = size as f64;
    match unit.to_ascii_lowercase().as_str() {
        "year" => size,
        "month" => size / 12.0,
        "day" => size / 365.0,
        "hour" => size / 8760.0,
        _ => 0.0,
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}
