//! Templates that tests write.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// A template in the making: its steps run commands of the shell, in which `$$` is `$`.
#[derive(Clone)]
pub struct Draft {
    manifest: Value,
    template: Value,
    files: Vec<(String, Vec<u8>)>,
}

impl Draft {
    /// One without steps.
    pub fn new(name: &str) -> Self {
        Self {
            manifest: json!({ "name": name, "specfile": "workflow.json", "files": [] }),
            template: json!({ "workflow": { "steps": [] } }),
            files: Vec::new(),
        }
    }

    /// One with a single step of this command.
    pub fn of(name: &str, command: &str) -> Self {
        Self::new(name).step("only", &[command])
    }

    /// The same under another name.
    pub fn named(mut self, name: &str) -> Self {
        self.manifest["name"] = json!(name);
        self
    }

    /// A key of the manifest.
    pub fn manifest(mut self, key: &str, value: Value) -> Self {
        self.manifest[key] = value;
        self
    }

    /// A key of the template.
    pub fn template(mut self, key: &str, value: Value) -> Self {
        self.template[key] = value;
        self
    }

    /// A key of the workflow.
    pub fn workflow(mut self, key: &str, value: Value) -> Self {
        self.template["workflow"][key] = value;
        self
    }

    /// A further step.
    pub fn step(self, name: &str, commands: &[&str]) -> Self {
        self.step_with(name, commands, json!({}))
    }

    /// A further step, with more keys.
    pub fn step_with(mut self, name: &str, commands: &[&str], more: Value) -> Self {
        let mut step = more;
        step["name"] = json!(name);
        step["action"] = json!({ "environment": "sh", "commands": commands });
        self.steps().push(step);
        self
    }

    /// A further parameter.
    pub fn parameter(mut self, parameter: Value) -> Self {
        self.list("parameters").push(parameter);
        self
    }

    /// A further parameter, whose value is a variable of the commands by the same name.
    pub fn variable(mut self, name: &str, parameter: Value) -> Self {
        self.template["workflow"]["parameters"][name] = json!(format!("$[[{name}]]"));
        let mut parameter = parameter;
        parameter["name"] = json!(name);
        self.parameter(parameter)
    }

    /// A further file that is kept.
    pub fn output(self, source: &str) -> Self {
        self.output_with(json!({ "source": source }))
    }

    /// A further file that is kept, with what is shown of it.
    pub fn output_with(mut self, output: Value) -> Self {
        self.list("outputs").push(output);
        self
    }

    /// What runs are ranked by: numbers in `results.json`, the largest of the first one first.
    pub fn ranked(self, columns: &[&str]) -> Self {
        let column = |name: &&str| json!({ "name": name, "label": name, "dtype": "float" });
        let columns: Vec<Value> = columns.iter().map(column).collect();
        let results = json!({ "file": "results.json", "schema": columns });
        self.output("results.json").template("results", results)
    }

    /// A file that every run is given.
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        let files = self.manifest["files"].as_array_mut().expect("a list");
        files.push(json!({ "source": path }));
        self
    }

    /// A file that is only there.
    pub fn aside(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Writes all of it into a folder, in the place of what was there.
    pub fn write(&self, folder: &Path) {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).expect("a folder");
        let put = |path: &str, content: &[u8]| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, content).expect("a file");
        };
        put("flowserv.json", self.manifest.to_string().as_bytes());
        put("workflow.json", self.template.to_string().as_bytes());
        for (path, content) in &self.files {
            put(path, content);
        }
    }

    fn steps(&mut self) -> &mut Vec<Value> {
        let steps = self.template["workflow"]["steps"].as_array_mut();
        steps.expect("a list")
    }

    fn list(&mut self, key: &str) -> &mut Vec<Value> {
        let list = &mut self.template[key];
        if list.is_null() {
            *list = json!([]);
        }
        list.as_array_mut().expect("a list")
    }
}
