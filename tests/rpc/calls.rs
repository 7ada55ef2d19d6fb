//! Calls with one answer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use taipan::Context;
use taipan::rpc::{
    CallOptions, Client, Codec, CodecError, Fault, Raw, RpcError, Server, TraceContext, service,
};

use crate::service::{Point, SOON, client, everywhere, run, server};

#[test]
fn values_go_and_come_back() {
    everywhere(|work, _, server| async move {
        assert_eq!(work.add(2, 40).await, Ok(42));
        assert_eq!(work.nothing().await, Ok(()));
        let point = Point {
            x: 0.5,
            name: None,
            tags: vec!["a".repeat(100), String::new()],
        };
        assert_eq!(work.mirror(point.clone()).await, Ok(point));
        assert_eq!(server.stats().calls, 3);
        assert_eq!(server.stats().running, 0);
    });
}

#[test]
fn raw_bytes_of_any_size_go_as_arguments_and_results() {
    everywhere(|work, _, _| async move {
        let of = |size: usize| Raw::from((0..size).map(|at| at as u8).collect::<Vec<_>>());
        let back = work
            .raw(of(1_000_000), vec![of(0), of(511), of(512)])
            .await
            .expect("bytes");
        assert_eq!(back, [of(0), of(511), of(512), of(1_000_000)]);
    });
}

#[test]
fn raw_bytes_are_not_copied_in_process() {
    run(async {
        let context = Context::new();
        let (server, _) = server(&context, "one", &crate::service::addresses()[0], 16);
        let work = client(&context, server.endpoint());
        let bytes = Raw::from(vec![7_u8; 100_000]);
        let back = work.raw(bytes.clone(), Vec::new()).await.expect("bytes");
        assert_eq!(back[0].as_ptr(), bytes.as_ptr());
    });
}

#[test]
fn many_calls_are_answered_in_any_order() {
    everywhere(|work, seen, server| async move {
        let waiting: Vec<_> = (0..500)
            .map(|number| {
                let work = work.clone();
                tokio::spawn(async move { work.wait(number).await })
            })
            .collect();
        seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 500)
            .await;
        assert_eq!(server.stats().running, 500);
        assert_eq!(
            work.add(1, 1).await,
            Ok(2),
            "not held up by those that wait"
        );
        seen.go.notify_waiters();
        for (number, call) in waiting.into_iter().enumerate() {
            assert_eq!(call.await.expect("no panic"), Ok(number as u64));
        }
        assert_eq!(work.client().in_flight(), 0);
    });
}

#[test]
fn an_error_of_the_method_keeps_its_type_words_and_causes() {
    everywhere(|work, _, _| async move {
        let error = work.fail("x".into()).await.expect_err("no number");
        assert!(error.may_have_run());
        let RpcError::Application(fault) = error else {
            panic!("{error:?}")
        };
        assert_eq!(fault.kind, "core::num::error::ParseIntError");
        assert_eq!(fault.message, "invalid digit found in string");
        assert!(fault.chain.is_empty());
    });
}

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_fault_knows_what_caused_it() {
    let fault = Fault::from(Outer("x".parse::<u8>().expect_err("no number")));
    assert_eq!(fault.message, "outer");
    assert_eq!(fault.chain, ["invalid digit found in string"]);
}

#[test]
fn a_panic_is_an_answer_and_the_server_lives() {
    everywhere(|work, _, _| async move {
        assert_eq!(
            work.panic("oh".into()).await,
            Err(RpcError::Panicked("oh".into()))
        );
        assert_eq!(work.add(1, 2).await, Ok(3));
    });
}

#[test]
fn what_is_not_there_is_said() {
    everywhere(|work, _, _| async move {
        let options = CallOptions::new();
        let call =
            |method: &'static str, arguments| work.client().call_value(method, arguments, options);
        assert_eq!(
            call("Nobody.add", vec![]).await,
            Err(RpcError::NoSuchService("Nobody".into()))
        );
        assert_eq!(
            call("Work.divide", vec![]).await,
            Err(RpcError::NoSuchMethod("Work.divide".into()))
        );
        assert_eq!(
            call("", vec![]).await,
            Err(RpcError::NoSuchService(String::new()))
        );
        for wrong in [
            vec![],
            vec![1.into()],
            vec!["a".into(), 1.into()],
            vec![1.into(); 3],
        ] {
            let error = call("Work.add", wrong).await.expect_err("wrong arguments");
            assert!(matches!(error, RpcError::BadArguments(_)), "{error:?}");
            assert!(!error.may_have_run());
        }
        assert_eq!(
            call("Work.add", vec![1.into(), 2.into()]).await,
            Ok(3.into())
        );
    });
}

#[test]
fn a_deadline_ends_the_call_on_both_sides() {
    everywhere(|work, seen, server| async move {
        let hasty = work.with(CallOptions::new().deadline(SOON));
        assert_eq!(
            hasty.wait(1).await,
            Err(RpcError::Timeout { may_have_run: true })
        );
        seen.until(|seen| seen.dropped.load(Ordering::SeqCst) == 1)
            .await;
        assert_eq!(seen.runs.load(Ordering::SeqCst), 1);
        assert_eq!(work.add(1, 2).await, Ok(3));
        drop(server);
    });
}

#[test]
fn a_call_to_nobody_ends_at_its_deadline_and_has_not_run() {
    run(async {
        let context = Context::new();
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("tcp://{}", port.local_addr().expect("an address"));
        drop(port);
        let work = client(&context, address).with(CallOptions::new().deadline(SOON));
        assert_eq!(
            work.add(1, 2).await,
            Err(RpcError::Timeout {
                may_have_run: false
            })
        );
        assert_eq!(
            work.note("x".into()).await,
            Err(RpcError::Timeout {
                may_have_run: false
            })
        );
    });
}

#[test]
fn dropping_the_future_cancels_the_call() {
    everywhere(|work, seen, server| async move {
        let call = tokio::spawn({
            let work = work.clone();
            async move { work.wait(1).await }
        });
        seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 1)
            .await;
        call.abort();
        seen.until(|seen| seen.dropped.load(Ordering::SeqCst) == 1)
            .await;
        while server.stats().running > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.stats().cancelled, 1);
        assert_eq!(work.client().in_flight(), 0);
    });
}

#[test]
fn signals_are_not_answered_and_expire() {
    everywhere(|work, seen, server| async move {
        for number in 0..100 {
            work.note(number.to_string()).await.expect("sent");
        }
        seen.until(|seen| seen.notes.lock().len() == 100).await;
        let sent: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        assert_eq!(*seen.notes.lock(), sent);
        let late = work.with(CallOptions::new().deadline(Duration::ZERO));
        late.note("late".into()).await.expect("sent");
        assert_eq!(work.add(1, 1).await, Ok(2));
        assert_eq!(server.stats().signals_dropped, 1);
        assert_eq!(seen.notes.lock().len(), 100);
    });
}

#[test]
fn too_many_calls_are_refused_and_have_not_run() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 3);
        let work = client(&context, server.endpoint());
        let calls: Vec<_> = (0..10)
            .map(|number| {
                let work = work.clone();
                tokio::spawn(async move { work.wait(number).await })
            })
            .collect();
        let mut refused = 0;
        while server.stats().overloaded < 7 {
            tokio::task::yield_now().await;
        }
        seen.go.notify_waiters();
        for call in calls {
            match call.await.expect("no panic") {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error, RpcError::Overloaded);
                    assert!(!error.may_have_run());
                    refused += 1;
                }
            }
        }
        assert_eq!((refused, seen.runs.load(Ordering::SeqCst)), (7, 3));
        assert_eq!(work.add(2, 2).await, Ok(4));
    });
}

#[test]
fn ten_thousand_calls_run_at_a_time() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 10_000);
        let work = client(&context, server.endpoint());
        let calls: Vec<_> = (0..10_000)
            .map(|number| {
                let work = work.clone();
                tokio::spawn(async move { work.wait(number).await })
            })
            .collect();
        seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 10_000)
            .await;
        seen.go.notify_waiters();
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.expect("no panic"), Ok(number as u64));
        }
    });
}

#[test]
fn runtimes_with_several_threads_do_the_same() {
    let _watchdog = crate::common::watchdog(60);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for address in crate::service::addresses() {
            let context = Context::new();
            let (server, seen) = server(&context, "one", &address, 4096);
            let work = client(&context, server.endpoint());
            let callers: Vec<_> = (0..32)
                .map(|caller| {
                    let work = work.clone();
                    tokio::spawn(async move {
                        for number in 0..100 {
                            assert_eq!(work.run(number).await, Ok(number));
                            assert_eq!(work.add(caller, 1).await, Ok(caller + 1));
                            let mut numbers = work.count(number % 4).await.expect("a stream");
                            let mut next = 0;
                            while let Some(item) = numbers.next().await {
                                assert_eq!(item, Ok(next));
                                next += 1;
                            }
                            assert_eq!(next, number % 4);
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.expect("no panic");
            }
            assert_eq!(seen.runs.load(Ordering::SeqCst), 3200);
            assert_eq!((server.stats().running, work.client().in_flight()), (0, 0));
        }
    });
}

#[test]
fn a_trace_is_carried_on() {
    everywhere(|work, _, _| async move {
        assert_eq!(work.trace().await, Ok(None));
        let trace = TraceContext::new();
        let traced = work.with(CallOptions::new().trace(trace));
        assert_eq!(traced.trace().await, Ok(Some(trace.to_string())));
        let inside = trace
            .scope(work.trace())
            .await
            .expect("an answer")
            .expect("a trace");
        let inside = TraceContext::parse(&inside).expect("a traceparent");
        assert_eq!(inside.trace_id, trace.trace_id);
        assert_ne!(inside.parent_id, trace.parent_id);
        assert_eq!(TraceContext::current(), None);
    });
}

#[test]
fn traceparents_are_read_and_wrong_ones_refused() {
    let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(TraceContext::parse(text).expect("one").to_string(), text);
    for wrong in [
        "",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
    ] {
        assert_eq!(TraceContext::parse(wrong), None, "{wrong}");
    }
}

struct Json;

impl Codec for Json {
    const NAME: &'static str = "json";

    fn encode<T: serde::Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
        serde_json::to_vec(value).map_err(CodecError::new)
    }

    fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        serde_json::from_slice(bytes).map_err(CodecError::new)
    }
}

#[service(name = "in.json", codec = Json)]
trait InJson {
    async fn join(parts: Vec<String>, by: String) -> String;
    async fn each(parts: Vec<String>) -> Stream<String>;
}

struct Joiner;

impl InJson for Joiner {
    async fn join(&self, parts: Vec<String>, by: String) -> Result<String, Fault> {
        Ok(parts.join(&by))
    }

    async fn each(
        &self,
        parts: Vec<String>,
        results: taipan::rpc::Sink<String, Json>,
    ) -> Result<(), Fault> {
        for part in parts {
            results.send(&part).await?;
        }
        Ok(())
    }
}

#[test]
fn a_service_may_have_another_codec_and_name() {
    run(async {
        let context = Context::new();
        let server = Server::builder(&context)
            .service(InJsonServer::new(Joiner))
            .bind("tcp://127.0.0.1:*")
            .start()
            .expect("a server");
        let client = Client::connect(&context, server.endpoint().to_string()).expect("a client");
        let json = InJsonClient::new(client.clone());
        let parts = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(json.join(parts.clone(), "-".into()).await, Ok("a-b".into()));
        let mut each = json.each(parts).await.expect("a stream");
        assert_eq!(each.next().await, Some(Ok("a".into())));
        assert_eq!(each.next().await, Some(Ok("b".into())));
        assert_eq!(each.next().await, None);
        // Who speaks MessagePack to it is told.
        let wrong = client
            .call_value("in.json.join", vec![], CallOptions::new())
            .await;
        assert_eq!(
            wrong,
            Err(RpcError::BadArguments("encoded as msgpack".into()))
        );
    });
}
