//! The WebTransport endpoint of web-transport-quinn.
//!
//! `endpoint.sh` has already refused the test cases that are not done, but some names are test cases of QUIC as well.

mod client;
mod contract;
mod server;
mod session;
mod tls;
mod transfer;
mod transport;

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::contract::{Result, Role, variable};

/// What the runner takes for: not implemented.
const UNSUPPORTED: u8 = 127;

#[tokio::main]
async fn main() -> ExitCode {
    // Only WebTransport has these.
    let protocols: Vec<String> = variable("PROTOCOLS")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if protocols.is_empty() {
        eprintln!("error: without PROTOCOLS it is no WebTransport");
        return UNSUPPORTED.into();
    }
    match run(protocols).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(protocols: Vec<String>) -> Result<()> {
    // PID 1 of a container has no default action for signals.
    let mut terminate = signal(SignalKind::terminate())?;
    let testcase = variable("TESTCASE");
    match Role::from_env()? {
        Role::Client => tokio::select! {
            outcome = client::run(&testcase, protocols) => outcome,
            _ = terminate.recv() => Err("stopped before the session ended".into()),
        },
        Role::Server => server::run(&testcase, protocols, terminate.recv()).await,
    }
}
