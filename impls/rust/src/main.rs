//! The ping app of the transport suite: a dialer pings a listener once, over one given stack.

mod address;
mod contract;
mod node;
mod proof;
mod rendezvous;

use std::{
    env,
    io::{self, Write},
    process,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout_at},
};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    contract::{Case, Role},
    node::Node,
    rendezvous::Rendezvous,
};

/// Only the reader of the log wants to know what went wrong.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

#[tokio::main]
async fn main() {
    // libp2p-tls 0.7 turns on rustls' aws-lc-rs, libp2p-quic its ring; unless told which of the two
    // to take, rustls panics as soon as webrtc asks for one.
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing has chosen one before main");
    let outcome = match Case::new(|name| env::var(name).ok()) {
        Ok(case) => run(&case).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &outcome {
        eprintln!("error: {error}");
    }
    // Returning would drop the runtime, which waits for a name look-up that may still be running.
    process::exit(outcome.is_err().into());
}

async fn run(case: &Case) -> Result<()> {
    let deadline = Instant::now() + case.timeout;
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(if case.debug {
            LevelFilter::DEBUG
        } else {
            LevelFilter::WARN
        })
        .init();
    // PID 1 of a container has no default action for signals, so both roles handle them.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let play = async {
        match case.role {
            Role::Dialer => dial(case).await,
            Role::Listener => listen(case).await,
        }
    };
    tokio::select! {
        outcome = timeout_at(deadline, play) => outcome.unwrap_or_else(|_| {
            Err(format!("the timeout of {} s has passed", case.timeout.as_secs()).into())
        }),
        _ = terminate.recv() => stopped(case.role),
        _ = interrupt.recv() => stopped(case.role),
    }
}

/// Being stopped is the regular end of a listener, but leaves a dialer with its work undone.
fn stopped(role: Role) -> Result<()> {
    match role {
        Role::Dialer => Err("stopped before the ping was answered".into()),
        Role::Listener => Ok(()),
    }
}

async fn dial(case: &Case) -> Result<()> {
    let mut rendezvous = Rendezvous::connect(case).await?;
    let mut node = Node::new(case.stack, case.timeout)?;
    if case.stack.transport.dials_through_listener() {
        node.listen(case.listen_ip, |addr| Some(addr.clone()))
            .await?;
    }
    eprintln!("waiting for the listener's address");
    let addr = rendezvous.listener_addr().await?;
    eprintln!("dialing {addr}");
    let start = Instant::now();
    let ping = node.ping(addr).await?;
    let record = case.record(start.elapsed(), ping);
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{record}")?;
    stdout.flush()?;
    Ok(())
}

async fn listen(case: &Case) -> Result<()> {
    let mut rendezvous = Rendezvous::connect(case).await?;
    let shared_ip = rendezvous.shared_ip().await?;
    let mut node = Node::new(case.stack, case.timeout)?;
    let addr = node
        .listen(case.listen_ip, |addr| {
            address::reachable(addr, case.listen_ip, shared_ip)
        })
        .await?;
    rendezvous.publish(&addr).await?;
    eprintln!("published {addr}");
    match node.serve().await? {}
}
