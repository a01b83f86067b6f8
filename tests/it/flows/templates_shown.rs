//! What is shown of registered templates.

use serde_json::{Value, json};

use super::draft::Draft;
use super::lab::{Site, texts};
use crate::support::Lab;

on_both_databases!(
    whoever_registers_chooses_what_the_manifest_says,
    all_of_a_template_is_shown,
    a_list_is_searched_and_has_pages,
);

async fn whoever_registers_chooses_what_the_manifest_says(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Named", "true")
        .manifest("description", json!("as it says"))
        .aside(
            "other.json",
            json!({ "workflow": { "steps": [
            { "name": "other", "action": { "environment": "sh", "commands": ["true"] } }
        ] } })
            .to_string(),
        )
        .aside("how.md", "Just **start** it.");
    let folder = site.template("named", &draft);
    let input = json!({
        "source": { "folder": folder }, "name": "Chosen", "description": "as I say",
        "instructions": "how.md", "specification": "other.json",
    });
    let answer = site.admin().told("registerWorkflow", input).await;
    let query = "query($id: ID!) { workflow(id: $id) { name description instructions steps { name } createdBy { username } } }";
    let data = site
        .who("ann")
        .data(query, json!({ "id": answer["workflow"]["id"] }))
        .await;
    let expected = json!({
        "name": "Chosen", "description": "as I say", "instructions": "Just **start** it.",
        "steps": [{ "name": "other" }], "createdBy": { "username": "root" },
    });
    assert_eq!(data["workflow"], expected);
}

async fn all_of_a_template_is_shown(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let inner = json!({ "name": "each", "dtype": "int", "range": "[0,9]" });
    let draft = Draft::of("Shown", "echo ${text} ${number} ${share} ${flag} ${choice} ${file} ${list} ${record}")
        .template("parameterGroups", json!([{ "name": "main", "title": "Main", "index": 0 }]))
        .variable("text", json!({ "dtype": "string", "label": "A text", "help": "Any", "defaultValue": "x", "group": "main", "index": 7 }))
        .variable("number", json!({ "dtype": "int", "range": "[1,10)" }))
        .variable("share", json!({ "dtype": "float", "range": "(,1]", "isRequired": false }))
        .variable("flag", json!({ "dtype": "bool", "defaultValue": true }))
        .variable("choice", json!({ "dtype": "select", "values": [
            { "name": "One", "value": 1, "isDefault": true }, { "name": "Two", "value": 2 }
        ] }))
        .variable("file", json!({ "dtype": "file", "target": "in.txt" }))
        .variable("list", json!({ "dtype": "list", "para": inner }))
        .variable("record", json!({ "dtype": "record", "fields": [inner] }))
        .parameter(json!({ "name": "doing", "dtype": "actor", "isRequired": false }))
        .output_with(json!({ "source": "out.csv", "key": "out", "title": "Out", "caption": "All",
            "format": { "type": "csv", "header": true }, "widget": { "kind": "table" } }))
        .ranked(&["score"])
        .step_with("second", &["true"], json!({
            "repeatable": true, "retry": { "limit": 2, "delaySeconds": 3 },
            "limits": { "timeoutSeconds": 60, "cpus": 2, "memoryMiB": 100, "fileSizeMiB": 10 },
        }));
    let workflow = site.workflow(&draft).await;
    let query = "query($id: ID!) { workflow(id: $id) {
        parameterGroups { name title }
        parameters {
            name kind required label help defaultValue group target
            range { min minExcluded max maxExcluded }
            choices { name value isDefault } item { name kind } fields { name kind }
        }
        steps { name commands image parameter repeatable retryLimit timeoutSeconds cpus memoryMiB fileSizeMiB }
        outputs { key source title caption format widget }
        results { name label kind required rankOrder descending }
        postProcessingSteps { name }
    } }";
    let data = site.who("ann").data(query, json!({ "id": workflow })).await;
    let shown = &data["workflow"];
    let parameters = shown["parameters"].as_array().expect("parameters");
    let of = |name: &str| {
        parameters
            .iter()
            .find(|it| it["name"] == name)
            .expect("one")
    };
    let kinds = [
        ("text", "STRING"),
        ("number", "INT"),
        ("share", "FLOAT"),
        ("flag", "BOOL"),
        ("choice", "SELECT"),
        ("file", "FILE"),
        ("list", "LIST"),
        ("record", "RECORD"),
        ("doing", "ACTOR"),
    ];
    assert_eq!(parameters.len(), kinds.len());
    for (name, kind) in kinds {
        assert_eq!(of(name)["kind"], kind, "{name}");
    }
    let text = of("text");
    let told = ["label", "help", "defaultValue", "group"].map(|field| text[field].clone());
    assert_eq!(told, ["A text", "Any", "x", "main"]);
    let required = ["text", "number", "share", "doing"].map(|name| of(name)["required"].clone());
    assert_eq!(required, [false, true, false, false]);
    let range = |min: Value, max: f64, max_excluded: bool| json!({ "min": min, "minExcluded": min.is_null(), "max": max, "maxExcluded": max_excluded });
    assert_eq!(of("number")["range"], range(json!(1.0), 10.0, true));
    assert_eq!(of("share")["range"], range(Value::Null, 1.0, false));
    let first = json!({ "name": "One", "value": 1, "isDefault": true });
    assert_eq!(of("choice")["choices"][0], first);
    assert_eq!(of("list")["item"], json!({ "name": "each", "kind": "INT" }));
    assert_eq!(
        of("record")["fields"],
        json!([{ "name": "each", "kind": "INT" }])
    );
    assert_eq!(of("file")["target"], "in.txt");
    assert_eq!(
        shown["parameterGroups"],
        json!([{ "name": "main", "title": "Main" }])
    );
    let output = json!({
        "key": "out", "source": "out.csv", "title": "Out", "caption": "All",
        "format": { "type": "csv", "header": true }, "widget": { "kind": "table" },
    });
    assert_eq!(shown["outputs"][0], output);
    let second = json!({
        "name": "second", "commands": ["true"], "image": "sh", "parameter": null, "repeatable": true,
        "retryLimit": 2, "timeoutSeconds": 60, "cpus": 2, "memoryMiB": 100, "fileSizeMiB": 10,
    });
    assert_eq!(shown["steps"][1], second);
    let score = json!({
        "name": "score", "label": "score", "kind": "FLOAT", "required": true, "rankOrder": 1, "descending": true,
    });
    assert_eq!(shown["results"], json!([score]));
    assert_eq!(shown["postProcessingSteps"], json!([]));
}

async fn a_list_is_searched_and_has_pages(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    for name in ["Ebb", "Flood", "Low tide", "High tide", "Spring tide"] {
        site.workflow(&Draft::of(name, "true")).await;
    }
    let ann = site.who("ann");
    let query = "query($filter: WorkflowFilter, $first: Int, $after: String) {
        workflows(filter: $filter, first: $first, after: $after) {
            totalCount nodes { name } pageInfo { hasNextPage endCursor }
        }
    }";
    let (mut names, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = ann.data(query, json!({ "first": 2, "after": after })).await;
        let page = &data["workflows"];
        assert_eq!(page["totalCount"], 5);
        names.extend(texts(&page["nodes"], "name"));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    names.sort();
    assert_eq!(
        names,
        ["Ebb", "Flood", "High tide", "Low tide", "Spring tide"]
    );
    let data = ann
        .data(query, json!({ "filter": { "text": "TIDE" } }))
        .await;
    assert_eq!(data["workflows"]["totalCount"], 3, "{data}");
    for text in ["%", "_", "'; DROP TABLE workflow; --"] {
        let data = ann.data(query, json!({ "filter": { "text": text } })).await;
        assert_eq!(data["workflows"]["totalCount"], 0, "{text:?}");
    }
}
