//! HTTP/3, through h3.

use std::future;

use bytes::{Buf, Bytes};
use futures::future::try_join_all;
use h3::{client::SendRequest, server::RequestResolver};
use h3_quinn::OpenStreams;
use http::{Request, Response, StatusCode};
use quinn::Connection;

use crate::{
    contract::{Result, Url, save, served},
    protocol::Progress,
};

pub async fn fetch(connection: &Connection, urls: &[Url], progress: &Progress) -> Result<()> {
    let transport = h3_quinn::Connection::new(connection.clone());
    let (mut driver, requests) = h3::client::new(transport).await?;
    let end =
        tokio::spawn(async move { future::poll_fn(|context| driver.poll_close(context)).await });
    let files = urls
        .iter()
        .map(|url| get(requests.clone(), url, connection, progress));
    try_join_all(files).await?;
    // The last handle on requests closes the connection.
    drop(requests);
    end.await?;
    Ok(())
}

async fn get(
    mut requests: SendRequest<OpenStreams, Bytes>,
    url: &Url,
    connection: &Connection,
    progress: &Progress,
) -> Result<()> {
    let Url { host, port, path } = url;
    let request = Request::get(format!("https://{host}:{port}/{path}")).body(())?;
    let mut stream = requests.send_request(request).await?;
    stream.finish().await?;
    let response = stream.recv_response().await?;
    if response.status() != StatusCode::OK {
        return Err(format!("{path}: the server answered {}", response.status()).into());
    }
    let mut content = Vec::new();
    while let Some(mut data) = stream.recv_data().await? {
        progress.add(connection, data.remaining());
        content.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    save(path, &content)
}

pub async fn serve(connection: Connection) -> Result<()> {
    let transport = h3_quinn::Connection::new(connection);
    let mut requests = h3::server::Connection::<_, Bytes>::new(transport).await?;
    loop {
        match requests.accept().await {
            Ok(Some(request)) => drop(tokio::spawn(async move {
                if let Err(error) = answer(request).await {
                    eprintln!("a request failed: {error}");
                }
            })),
            Ok(None) => return Ok(()),
            Err(error) if error.is_h3_no_error() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn answer(request: RequestResolver<h3_quinn::Connection, Bytes>) -> Result<()> {
    let (request, mut stream) = request.resolve_request().await?;
    match served(request.uri().path()) {
        Ok(content) => {
            stream.send_response(Response::new(())).await?;
            stream.send_data(content.into()).await?;
        }
        Err(error) => {
            eprintln!("{error}");
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::NOT_FOUND;
            stream.send_response(response).await?;
        }
    }
    stream.finish().await?;
    Ok(())
}
