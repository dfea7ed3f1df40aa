//! The way from the runner's variables to an exit code, for endpoints that do every test case they are started for.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    client,
    contract::{Result, Role, variable},
    server,
};

pub async fn main() -> ExitCode {
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
