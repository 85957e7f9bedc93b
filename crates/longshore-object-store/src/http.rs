//! Requests to object stores. To 501 (a store without conditional puts) the answer is the same however often it is asked,
//! but `object_store` asks again, as after every 5xx: here it becomes an error that is final.

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use std::pin::Pin;

/// Makes clients that ask once where asking again is no use.
#[derive(Debug, Default)]
pub(crate) struct Connector(ReqwestConnector);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Client(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Client(HttpClient);

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
            let answer = self.0.execute(request).await?;
            if answer.status().as_u16() != 501 {
                return Ok(answer);
            }
            let body = answer.into_body().bytes().await?;
            let text = format!("501 Not Implemented: {}", String::from_utf8_lossy(&body));
            Err(HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(text)))
        })
    }
}
