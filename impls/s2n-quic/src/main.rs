//! The QUIC endpoint of s2n-quic, with HTTP/0.9: the HTTP/3 of its repository is not published.
//!
//! `endpoint.sh` has already refused the test cases that are not done.

mod client;
mod contract;
mod hq;
mod limits;
mod server;
mod tickets;

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::contract::{Result, Role, variable};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    // PID 1 of a container has no default action for signals.
    let mut terminate = signal(SignalKind::terminate())?;
    let testcase = variable("TESTCASE");
    match Role::from_env()? {
        Role::Client => tokio::select! {
            outcome = client::run(&testcase) => outcome,
            _ = terminate.recv() => Err("stopped before all files were here".into()),
        },
        Role::Server => server::run(&testcase, terminate.recv()).await,
    }
}
