//! The client: one session, on one connection.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use quinn::{ClientConfig, Endpoint};
use tokio::net::lookup_host;
use web_transport_quinn::{Session, proto::ConnectRequest};

use crate::{
    contract::{Result, Url},
    session, tls, transport,
};

pub async fn run(testcase: &str, protocols: Vec<String>) -> Result<()> {
    let urls = Url::requests()?;
    let (endpoint, files) = endpoint_and_files(&urls)?;
    let Url { host, port, .. } = &urls[0];
    let request = ConnectRequest::new(url::Url::parse(&format!(
        "https://{host}:{port}/{endpoint}"
    ))?)
    .with_protocols(protocols);

    let server = lookup_host((host.as_str(), *port))
        .await?
        .next()
        .ok_or("the server's name has no address")?;
    let any = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = Endpoint::client(any)?;
    let mut config = ClientConfig::new(Arc::new(tls::client()?));
    config.transport_config(transport::config(testcase, "client").into());
    let connection = socket.connect_with(config, server, host)?.await?;
    let session = Session::connect(connection, request).await?;

    let outcome = session::play(&session, testcase, endpoint, &files).await;
    session.close(outcome.is_err().into(), b"");
    session.closed().await;
    socket.wait_idle().await;
    outcome
}

/// `https://host/endpoint/file`: the file is absent where nothing is to be requested.
fn endpoint_and_files(urls: &[Url]) -> Result<(&str, Vec<String>)> {
    let paths: Vec<_> = urls
        .iter()
        .map(|url| url.path.split_once('/').unwrap_or((&url.path, "")))
        .collect();
    let (endpoint, _) = paths[0];
    if paths.iter().any(|(other, _)| *other != endpoint) {
        return Err("web-transport-quinn has one session per connection, so one endpoint".into());
    }
    let files = paths.iter().filter(|(_, file)| !file.is_empty());
    Ok((
        endpoint,
        files.map(|(_, file)| (*file).to_owned()).collect(),
    ))
}
