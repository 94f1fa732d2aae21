//! What a tree needs to be told and no file of it tells: as it was typed, or asked for on a terminal.

use super::config::Route;
use super::options::Choosing;
use super::output::Output;
use super::stream;
use crate::cancel::Cancel;
use crate::endpoint::Endpoint;
use crate::endpoint::files::asked::{Answers, Question, not_asked};
use crate::endpoint::files::source::{LayoutFile, TreeSource};
use crate::error::{Context, Result};
use crate::printable::Lines;
use std::io::{BufRead, IsTerminal};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What was typed, with what somebody has answered on a terminal besides. An answer that is most likely none is told, and taken.
///
/// # Errors
/// When something is missing and there is no terminal to ask on, or an answer was typed that nothing asks for.
pub fn complete(route: &Route, typed: &Choosing, output: &Output, cancel: &Cancel) -> Result<Choosing> {
    let mut choosing = typed.clone();
    let Endpoint::Files(path) = &route.source else { return Ok(choosing) };
    let layout = LayoutFile::load(route.project.as_ref().and_then(crate::project::Project::layout).as_deref(), path)?;
    let questions = TreeSource::open(path, &layout, &typed.only, cancel)?.questions()?;
    let answers: Answers = typed.answering.workspace.iter().cloned().collect();
    if let Some(key) = answers.keys().find(|key| questions.iter().all(|question| question.key != **key)) {
        return Err(not_asked(key, &questions));
    }
    for question in &questions {
        let answer = match answers.get(&question.key) {
            Some(answer) => answer.clone(),
            None => {
                let answer = ask(question, cancel)?;
                choosing.answering.workspace.push((question.key.clone(), answer.clone()));
                answer
            }
        };
        if let Some(doubt) = question.doubt(&answer) {
            output.warning(&Lines::of(format_args!("whimbrel: {doubt}; it is taken as it was said")));
        }
    }
    Ok(choosing)
}

/// Asks on the terminal, where there is one.
fn ask(question: &Question, cancel: &Cancel) -> Result<String> {
    if !std::io::stdin().is_terminal() || !stream::errors_go_to_a_terminal() {
        return Err(question.unanswered());
    }
    let Question { key, file, table, column, .. } = question;
    stream::complain(&Lines::of(format_args!(
        "`{file}` belongs to `{key}`, of which `{table}` knows nothing; its {column}?"
    )));
    // A thread of its own, which nobody waits for when somebody asks to stop.
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line).map(|_| line);
        // Nobody receives when the program ends.
        let _ = send.send(read);
    });
    let line = loop {
        match receive.recv_timeout(Duration::from_millis(50)) {
            Ok(line) => break line.could_not("read the answer from", "the terminal")?,
            Err(mpsc::RecvTimeoutError::Timeout) => cancel.check("read the answer")?,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(question.unanswered()),
        }
    };
    match line.trim_end_matches(['\n', '\r']) {
        "" => Err(question.unanswered()),
        answer => Ok(answer.to_owned()),
    }
}
