//! The server: answers requests until it is told to stop.

use std::{net::Ipv6Addr, sync::Arc, time::Duration};

use quinn::{Connecting, Endpoint, ServerConfig, crypto::rustls::QuicServerConfig};
use tokio::time::timeout;

use crate::{contract::Result, protocol::Protocol, tls, transport};

const PORT: u16 = 443;

/// The runner gives ten seconds to stop; peers that have gone need not use them up.
const FAREWELL: Duration = Duration::from_secs(3);

pub async fn run<T>(testcase: &str, stop: impl Future<Output = T>) -> Result<()> {
    let tls = tls::server(testcase)?;
    let config = ServerConfig::with_crypto(tls.clone());
    let endpoint = Endpoint::server(config, (Ipv6Addr::UNSPECIFIED, PORT).into())?;
    eprintln!("listening on {}", endpoint.local_addr()?);
    tokio::select! {
        outcome = accept(&endpoint, testcase, &tls) => outcome?,
        _ = stop => (),
    }
    endpoint.close(0_u8.into(), b"");
    let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
    Ok(())
}

async fn accept(endpoint: &Endpoint, testcase: &str, tls: &Arc<QuicServerConfig>) -> Result<()> {
    let early = testcase == "zerortt";
    while let Some(incoming) = endpoint.accept().await {
        if testcase == "retry" && !incoming.remote_address_validated() {
            incoming.retry()?;
            continue;
        }
        // Only a configuration of its own gives a connection a qlog of its own.
        let log = format!("{}_server", incoming.orig_dst_cid());
        let mut config = ServerConfig::with_crypto(tls.clone());
        config.transport_config(transport::config(testcase, &log).into());
        match incoming.accept_with(config.into()) {
            Ok(connecting) => drop(tokio::spawn(async move {
                if let Err(error) = serve(connecting, early).await {
                    eprintln!("{log}: {error}");
                }
            })),
            Err(error) => eprintln!("{log}: {error}"),
        }
    }
    Ok(())
}

async fn serve(mut connecting: Connecting, early: bool) -> Result<()> {
    let protocol = Protocol::of(Some(connecting.handshake_data().await?))?;
    let connection = if early {
        // A server always may: requests come before the handshake is complete.
        let (connection, _) = connecting
            .into_0rtt()
            .map_err(|_| "there is no early data")?;
        connection
    } else {
        connecting.await?
    };
    protocol.serve(connection).await
}
