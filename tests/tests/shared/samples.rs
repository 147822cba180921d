// Trials that misbehave in the same way under every harness.

#[snowglobe::test(ignore = "a sample")]
fn panics() {
    println!("to stdout");
    eprintln!("to stderr");
    panic!("as it should");
}

#[snowglobe::test(ignore = "a sample")]
fn returns_an_error() -> TestResult {
    std::fs::read("/no/such/file")?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn exits_with_zero() {
    std::process::exit(0);
}

#[snowglobe::test(ignore = "a sample")]
fn aborts() {
    std::process::abort();
}

#[snowglobe::test(ignore = "a sample")]
fn overflows_its_stack() {
    #[expect(unconditional_recursion)]
    fn deeper(n: u64) -> u64 {
        let mut room = [n; 512];
        std::hint::black_box(&mut room);
        deeper(n + 1) + room[0]
    }
    println!("{}", deeper(0));
}

#[snowglobe::test(ignore = "a sample")]
#[should_panic]
fn does_not_panic() {}
