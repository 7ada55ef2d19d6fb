//! The classic: a service that computes Fibonacci numbers, one by one and as a stream.
//!
//! Expected output:
//! fib(10) = 55
//! fib(90) = 2880067194370816120
//! fib(91) is refused: TooLarge: 91 is more than 90
//! 0 1 1 2 3 5 8 13 21 34
//! 2 services, Fibonacci has 2 methods

use taipan::Context;
use taipan::rpc::{Client, Fault, Server, Sink, service};

#[service]
trait Fibonacci {
    /// The number at this place.
    #[idempotent]
    async fn fib(n: u32) -> u64;
    /// So many of them.
    async fn first(count: u32) -> Stream<u64>;
}

struct Counting;

fn numbers() -> impl Iterator<Item = u64> + Send {
    std::iter::successors(Some((0, 1)), |&(a, b): &(u64, u64)| {
        Some((b, a.checked_add(b)?))
    })
    .map(|(a, _)| a)
}

impl Fibonacci for Counting {
    async fn fib(&self, n: u32) -> Result<u64, Fault> {
        match numbers().take(91).nth(n as usize) {
            Some(number) => Ok(number),
            None => Err(Fault::new("TooLarge", format!("{n} is more than 90"))),
        }
    }

    async fn first(&self, count: u32, results: Sink<u64>) -> Result<(), Fault> {
        for number in numbers().take(count as usize) {
            results.send(&number).await?;
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let server = Server::builder(&context)
        .service(FibonacciServer::new(Counting))
        .bind("tcp://127.0.0.1:*")
        .start()?;

    let client = Client::connect(&context, server.endpoint().to_string())?;
    let fibonacci = FibonacciClient::new(client.clone());
    println!("fib(10) = {}", fibonacci.fib(10).await?);
    println!("fib(90) = {}", fibonacci.fib(90).await?);
    if let Err(error) = fibonacci.fib(91).await {
        println!("fib(91) is refused: {error}");
    }
    let mut numbers = fibonacci.first(10).await?;
    let mut line = Vec::new();
    while let Some(number) = numbers.next().await {
        line.push(number?.to_string());
    }
    println!("{}", line.join(" "));

    let listed = client.list().await?;
    println!(
        "{} services, Fibonacci has {} methods",
        listed.len(),
        listed[0].methods.len()
    );
    Ok(())
}
