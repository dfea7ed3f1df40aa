//! The server: takes sessions until it is told to stop.

use std::{net::Ipv6Addr, sync::Arc, time::Duration};

use quinn::{Endpoint, ServerConfig};
use tokio::time::timeout;
use web_transport_quinn::{Request, Server, proto::ConnectResponse};

use crate::{
    contract::{Result, variable},
    session, tls, transport,
};

const PORT: u16 = 443;

/// The runner gives ten seconds to stop; peers that have gone need not use them up.
const FAREWELL: Duration = Duration::from_secs(3);

/// What every session plays.
struct Play {
    testcase: String,
    protocols: Vec<String>,
    /// Requested by this side: `endpoint/file`.
    requests: Vec<String>,
}

pub async fn run<T>(
    testcase: &str,
    protocols: Vec<String>,
    stop: impl Future<Output = T>,
) -> Result<()> {
    let play = Arc::new(Play {
        testcase: testcase.to_owned(),
        protocols,
        requests: variable("REQUESTS")
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    });
    let mut config = ServerConfig::with_crypto(Arc::new(tls::server()?));
    config.transport_config(transport::config(testcase, "server").into());
    let endpoint = Endpoint::server(config, (Ipv6Addr::UNSPECIFIED, PORT).into())?;
    eprintln!("listening on {}", endpoint.local_addr()?);
    tokio::select! {
        () = accept(Server::new(endpoint.clone()), &play) => (),
        _ = stop => (),
    }
    endpoint.close(0_u8.into(), b"");
    let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
    Ok(())
}

async fn accept(mut server: Server, play: &Arc<Play>) {
    while let Some(request) = server.accept().await {
        let play = play.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(request, &play).await {
                eprintln!("a session failed: {error}");
            }
        });
    }
}

async fn serve(request: Request, play: &Play) -> Result<()> {
    let endpoint = request.url.path().trim_matches('/').to_owned();
    let common = request
        .protocols
        .iter()
        .find(|name| play.protocols.contains(name));
    let response = match common {
        Some(name) => ConnectResponse::OK.with_protocol(name),
        None => ConnectResponse::OK,
    };
    let session = request.respond(response).await?;
    let prefix = format!("{endpoint}/");
    let files: Vec<_> = play
        .requests
        .iter()
        .filter_map(|path| path.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect();
    let outcome = session::play(&session, &play.testcase, &endpoint, &files).await;
    // In `handshake` and where it asks, the client ends the session.
    if outcome.is_err() || !files.is_empty() {
        session.close(outcome.is_err().into(), b"");
    }
    session.closed().await;
    outcome
}
