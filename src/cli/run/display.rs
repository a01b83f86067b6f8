//! What is shown of a run: on a terminal how far it is, below what it prints; otherwise a line for each change. What steps print
//! goes where they print it, and all else to standard error.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::model::{Piece, Run, Step, Update};

/// How often the display moves.
const TICK: Duration = Duration::from_millis(100);

/// Where a step prints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Output,
    Errors,
}

/// What is shown of a run.
pub struct Display {
    /// None: nobody looks.
    bar: Option<ProgressBar>,
    /// What was shown last of the run and of each of its steps.
    state: String,
    steps: BTreeMap<String, (String, i64)>,
    /// What the run is called.
    name: String,
    /// Whether what stands last on standard error is no whole line.
    is_amid: bool,
    /// Beginnings of lines: on a terminal whole lines are shown only, since the display is below them.
    output: String,
    errors: String,
}

impl Display {
    /// Nothing is shown yet.
    pub fn begin() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let form = "{spinner} {msg} [{pos}/{len}] {elapsed}";
            if let Ok(style) = ProgressStyle::with_template(form) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            bar,
            state: String::new(),
            steps: BTreeMap::new(),
            is_amid: false,
            name: "run".to_owned(),
            output: String::new(),
            errors: String::new(),
        }
    }

    /// A line for people.
    pub fn say(&mut self, line: &str) {
        let before = if self.is_amid { "\n" } else { "" };
        self.write(Stream::Errors, &format!("{before}{line}\n"));
    }

    /// The run as it is.
    pub fn run(&mut self, run: &Run) {
        if let Some(number) = run.number {
            self.name = format!("run {number}");
        }
        if let Some(bar) = &self.bar {
            bar.set_length(u64::try_from(run.steps.len()).unwrap_or_default());
        }
        for step in &run.steps {
            self.step(step);
        }
        self.state(&run.state);
    }

    /// What has just happened to it.
    pub fn update(&mut self, update: &Update) {
        if let Some(step) = &update.step {
            self.step(step);
        }
        self.state(&update.run.state);
    }

    /// What a step has printed.
    pub fn piece(&mut self, piece: &Piece) {
        let stream = match piece.stream.as_str() {
            "STDERR" => Stream::Errors,
            _ => Stream::Output,
        };
        if self.bar.is_none() {
            self.write(stream, &piece.text);
            return;
        }
        let begun = match stream {
            Stream::Output => &mut self.output,
            Stream::Errors => &mut self.errors,
        };
        begun.push_str(&piece.text);
        if let Some(end) = begun.rfind('\n') {
            let lines: String = begun.drain(..=end).collect();
            self.write(stream, &lines);
        }
    }

    /// The run has ended: what it gave, or why it gave nothing.
    pub fn end(mut self, run: &Run, url: impl Fn(&str) -> String) {
        let output = std::mem::take(&mut self.output);
        let errors = std::mem::take(&mut self.errors);
        for (stream, rest) in [(Stream::Output, output), (Stream::Errors, errors)] {
            if !rest.is_empty() {
                self.write(stream, &format!("{rest}\n"));
            }
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let reason = run.reason.as_deref();
        let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        let message = run.message.as_deref();
        let message = message.map_or_else(String::new, |message| format!(": {message}"));
        self.say(&format!("{}: {}{reason}{message}", self.name, run.state));
        for file in &run.files {
            // Sizes are whole numbers that JSON has as any number.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "only for people"
            )]
            let size = HumanBytes(file.size_bytes as u64);
            let url = file.url.as_deref().map(&url).unwrap_or_default();
            self.say(&format!("  {}  {size}  {url}", file.name));
        }
    }

    fn state(&mut self, state: &str) {
        if self.state != state {
            state.clone_into(&mut self.state);
            if self.bar.is_none() && !matches!(state, "SUCCESS" | "ERROR" | "CANCELED") {
                self.say(&format!("{}: {state}", self.name));
            }
        }
        self.draw();
    }

    fn step(&mut self, step: &Step) {
        let shown = (step.state.clone(), step.attempt);
        let before = self.steps.insert(step.name.clone(), shown.clone());
        if before.as_ref() == Some(&shown) {
            return;
        }
        let is_over = matches!(step.state.as_str(), "SUCCESS" | "ERROR" | "CANCELED");
        let is_again = step.state == "PENDING" && step.attempt > 0;
        let is_begun = step.state == "RUNNING" && self.bar.is_none();
        if is_over || is_again || is_begun {
            self.say(&told(step));
        }
        self.draw();
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else {
            return;
        };
        let of_state = |wanted: &'static [&'static str]| {
            let steps = self.steps.iter();
            steps.filter(move |(_, (state, _))| wanted.contains(&state.as_str()))
        };
        let over = of_state(&["SUCCESS", "ERROR", "CANCELED", "SKIPPED"]).count();
        let running = of_state(&["STARTING", "RUNNING"]).map(|(name, _)| name.as_str());
        let running: Vec<&str> = running.collect();
        bar.set_position(u64::try_from(over).unwrap_or_default());
        bar.set_message(format!(
            "{} {} {}",
            self.name,
            self.state,
            running.join(", ")
        ));
    }

    /// Whoever read it may have gone: the run goes on.
    fn write(&mut self, stream: Stream, text: &str) {
        if let (Stream::Errors, Some(last)) = (stream, text.chars().last()) {
            self.is_amid = last != '\n';
        }
        let write = || {
            let _ = match stream {
                Stream::Output => {
                    let mut output = std::io::stdout().lock();
                    output
                        .write_all(text.as_bytes())
                        .and_then(|()| output.flush())
                }
                Stream::Errors => std::io::stderr().lock().write_all(text.as_bytes()),
            };
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// What there is to say of a step.
fn told(step: &Step) -> String {
    let Step { name, state, .. } = step;
    let mut told = format!("step {name}: {state}");
    if state == "PENDING" {
        told.push_str(" again");
    }
    let mut more = Vec::new();
    if step.attempt > 1 {
        more.push(format!("attempt {}", step.attempt));
    }
    if let Some(code) = step
        .exit_code
        .filter(|code| *code != 0 && state != "RUNNING")
    {
        more.push(format!("exit code {code}"));
    }
    if let (Some(from), Some(to)) = (step.started_at, step.ended_at) {
        let millis = (to - from).num_milliseconds();
        more.push(format!("{}.{} s", millis / 1_000, millis / 100 % 10));
    }
    if !more.is_empty() {
        told = format!("{told} ({})", more.join(", "));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_of_in_a_line() {
        let step = Step {
            name: "fit".into(),
            state: "ERROR".into(),
            attempt: 3,
            exit_code: Some(2),
            started_at: "2026-09-21T12:00:00Z".parse().ok(),
            ended_at: "2026-09-21T12:00:01.250Z".parse().ok(),
        };
        assert_eq!(
            told(&step),
            "step fit: ERROR (attempt 3, exit code 2, 1.2 s)"
        );
        let begun = Step {
            state: "RUNNING".into(),
            attempt: 1,
            exit_code: None,
            ended_at: None,
            ..step
        };
        assert_eq!(told(&begun), "step fit: RUNNING");
    }
}
