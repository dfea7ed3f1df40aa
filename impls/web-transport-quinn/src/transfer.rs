//! The files of a session: requested and answered in one of three ways (quic-interop contract, section 4.6).

use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};
use web_transport_quinn::{RecvStream, Session};

use crate::contract::{Error, Result, save, served};

/// More than any test transfers at once.
const LONGEST: usize = 64 << 20;

/// Answers must not come faster than ten megabits a second take them, in kilobytes that nobody sends twice.
const PACE: Duration = Duration::from_millis(5);

/// After so long without any, what has not been answered was lost.
const QUIET: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Unidirectional,
    Bidirectional,
    Datagram,
}

impl Way {
    /// In which way a test case has this side request files, if it has.
    pub fn of(testcase: &str) -> Option<Self> {
        match testcase.split('-').collect::<Vec<_>>()[..] {
            ["transfer", "unidirectional", _] => Some(Self::Unidirectional),
            ["transfer", "bidirectional", _] => Some(Self::Bidirectional),
            ["transfer", "datagram", _] => Some(Self::Datagram),
            _ => None,
        }
    }
}

/// Requests files of an endpoint, all at once, and saves them.
pub async fn request(session: &Session, way: Way, endpoint: &str, files: &[String]) -> Result<()> {
    match way {
        Way::Unidirectional => request_uni(session, endpoint, files).await,
        Way::Bidirectional => request_bi(session, endpoint, files).await,
        Way::Datagram => request_datagrams(session, endpoint, files).await,
    }
}

async fn request_uni(session: &Session, endpoint: &str, files: &[String]) -> Result<()> {
    for file in files {
        let mut send = session.open_uni().await?;
        send.write_all(&get(file)).await?;
        send.finish()?;
    }
    // Read side by side: they share the connection's flow control.
    let mut answers = JoinSet::new();
    for _ in files {
        let recv = session.accept_uni().await?;
        answers.spawn(pushed(recv));
    }
    let mut missing: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    while let Some(answer) = answers.join_next().await {
        let (file, content) = answer??;
        accept(&mut missing, endpoint, &file, &content)?;
    }
    Ok(())
}

async fn pushed(mut recv: RecvStream) -> Result<(String, Vec<u8>)> {
    let message = recv.read_to_end(LONGEST).await?;
    let (file, content) = parse_push(&message)?;
    Ok((file.to_owned(), content.to_vec()))
}

async fn request_bi(session: &Session, endpoint: &str, files: &[String]) -> Result<()> {
    let mut answers = JoinSet::new();
    for file in files {
        let (mut send, mut recv) = session.open_bi().await?;
        send.write_all(&get(file)).await?;
        send.finish()?;
        let path = format!("{endpoint}/{file}");
        answers.spawn(async move {
            let content = recv.read_to_end(LONGEST).await?;
            save(&path, &content)
        });
    }
    while let Some(answer) = answers.join_next().await {
        answer??;
    }
    Ok(())
}

async fn request_datagrams(session: &Session, endpoint: &str, files: &[String]) -> Result<()> {
    let mut missing: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let mut waiting: VecDeque<&str> = missing.iter().copied().collect();
    let mut pace = interval(PACE);
    while !missing.is_empty() {
        tokio::select! {
            datagram = session.read_datagram() => {
                let datagram = datagram?;
                let (file, content) = parse_push(&datagram)?;
                // One that was slow rather than lost comes twice.
                if missing.contains(file) {
                    accept(&mut missing, endpoint, file, content)?;
                }
            }
            _ = pace.tick(), if !waiting.is_empty() => {
                if let Some(file) = waiting.pop_front() {
                    session.send_datagram_wait(get(file).into()).await?;
                }
            }
            () = sleep(QUIET), if waiting.is_empty() => {
                eprintln!("{} files are missing: asking again", missing.len());
                waiting.extend(&missing);
            }
        }
    }
    Ok(())
}

/// Saves a file that was asked for.
fn accept(missing: &mut BTreeSet<&str>, endpoint: &str, file: &str, content: &[u8]) -> Result<()> {
    if !missing.remove(file) {
        return Err(format!("{file:?} was pushed, which nobody asked for").into());
    }
    save(&format!("{endpoint}/{file}"), content)
}

/// Answers requests of every way until the session ends; how it ended, the session knows.
pub async fn answer(session: &Session, endpoint: &str) {
    let _: Result<_> = async {
        tokio::try_join!(
            answer_uni(session, endpoint),
            answer_bi(session, endpoint),
            answer_datagrams(session, endpoint)
        )
    }
    .await;
}

async fn answer_uni(session: &Session, endpoint: &str) -> Result<Infallible> {
    loop {
        let mut recv = session.accept_uni().await?;
        let (session, endpoint) = (session.clone(), endpoint.to_owned());
        spawn(async move {
            let answer = push(&endpoint, &recv.read_to_end(LONGEST).await?)?;
            let mut send = session.open_uni().await?;
            send.write_all(&answer).await?;
            Ok(send.finish()?)
        });
    }
}

async fn answer_bi(session: &Session, endpoint: &str) -> Result<Infallible> {
    loop {
        let (mut send, mut recv) = session.accept_bi().await?;
        let endpoint = endpoint.to_owned();
        spawn(async move {
            match content(&endpoint, &recv.read_to_end(LONGEST).await?) {
                Ok((_, content)) => {
                    send.write_all(&content).await?;
                    Ok(send.finish()?)
                }
                Err(error) => {
                    send.reset(1)?;
                    Err(error)
                }
            }
        });
    }
}

async fn answer_datagrams(session: &Session, endpoint: &str) -> Result<Infallible> {
    loop {
        let request = session.read_datagram().await?;
        match push(endpoint, &request) {
            Ok(answer) => session.send_datagram_wait(answer.into()).await?,
            Err(error) => eprintln!("a request failed: {error}"),
        }
    }
}

/// One request fails by itself.
fn spawn(answer: impl Future<Output = Result<()>> + Send + 'static) {
    tokio::spawn(async {
        if let Err(error) = answer.await {
            eprintln!("a request failed: {error}");
        }
    });
}

fn get(file: &str) -> Vec<u8> {
    format!("GET {file}").into_bytes()
}

/// What answers a request on a channel of its own.
fn push(endpoint: &str, request: &[u8]) -> Result<Vec<u8>> {
    let (file, content) = content(endpoint, request)?;
    Ok([format!("PUSH {file}\n").as_bytes(), &content].concat())
}

/// The requested file's name and content.
fn content<'a>(endpoint: &str, request: &'a [u8]) -> Result<(&'a str, Vec<u8>)> {
    let file = parse_get(request)?;
    Ok((file, served(&format!("{endpoint}/{file}"))?))
}

fn parse_get(request: &[u8]) -> Result<&str> {
    let line = str::from_utf8(request)?.trim_end();
    line.strip_prefix("GET ")
        .ok_or_else(|| format!("{line:?} is not a request").into())
}

fn parse_push(message: &[u8]) -> Result<(&str, &[u8])> {
    let end = message.iter().position(|byte| *byte == b'\n');
    let (line, content) = message.split_at(end.ok_or("a push has no first line")?);
    let line = str::from_utf8(line)?;
    let file = line
        .strip_prefix("PUSH ")
        .ok_or_else(|| Error::from(format!("{line:?} is not a push")))?;
    Ok((file, &content[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways() {
        let ways = [
            ("transfer-unidirectional-receive", Some(Way::Unidirectional)),
            ("transfer-bidirectional-send", Some(Way::Bidirectional)),
            ("transfer-datagram-send", Some(Way::Datagram)),
            ("transfer", None),
            ("handshake", None),
        ];
        for (testcase, way) in ways {
            assert_eq!(Way::of(testcase), way, "{testcase}");
        }
    }

    #[test]
    fn messages() {
        assert_eq!(parse_get(&get("a-b")).unwrap(), "a-b");
        assert_eq!(parse_get(b"GET a-b\n").unwrap(), "a-b");
        assert!(parse_get(b"PUSH a-b\n").is_err());
        let (file, content) = parse_push(b"PUSH a-b\none\ntwo").unwrap();
        assert_eq!((file, content), ("a-b", &b"one\ntwo"[..]));
        assert!(parse_push(b"PUSH a-b").is_err());
        assert!(parse_push(b"GET a-b\n").is_err());
    }

    #[test]
    fn only_what_was_asked_for() {
        let mut missing = BTreeSet::from(["a"]);
        assert!(accept(&mut missing, "endpoint", "b", b"").is_err());
        assert_eq!(missing, BTreeSet::from(["a"]));
    }
}
