//! Requests to object stores. To 501 (a store without conditional puts) the answer is the same however often it is asked,
//! but `object_store` asks again, as after every 5xx: here it becomes an error that is final. Listings are read here first
//! (`listing`).

use crate::listing::Unreadable;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use std::pin::Pin;

/// Makes clients that ask once where asking again is no use, and note what listings have that cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    inner: ReqwestConnector,
    unreadable: Unreadable,
}

impl Connector {
    pub(crate) fn noting(unreadable: &Unreadable) -> Self {
        Connector { unreadable: unreadable.clone(), ..Connector::default() }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Client { inner: self.inner.connect(options)?, unreadable: self.unreadable.clone() }))
    }
}

#[derive(Debug)]
struct Client {
    inner: HttpClient,
    unreadable: Unreadable,
}

impl HttpService for Client {
    // As `async_trait` writes it, which the trait is made with.
    fn call<'s, 'a>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let is_listing = is_listing(&request);
            let answer = self.inner.execute(request).await?;
            if is_listing && answer.status().is_success() {
                let (parts, body) = answer.into_parts();
                let body = body.bytes().await?;
                let without = std::str::from_utf8(&body).ok().and_then(|xml| self.unreadable.take_from(xml));
                return Ok(HttpResponse::from_parts(parts, without.map_or_else(|| body.into(), Into::into)));
            }
            if answer.status().as_u16() != 501 {
                return Ok(answer);
            }
            let body = answer.into_body().bytes().await?;
            let text = format!("501 Not Implemented: {}", String::from_utf8_lossy(&body));
            Err(HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(text)))
        })
    }
}

/// True for a request for the objects of a bucket (S3 and Google) or container (Azure).
fn is_listing(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.method().as_str() == "GET" && query.split('&').any(|part| matches!(part, "list-type=2" | "comp=list"))
}
