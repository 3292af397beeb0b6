//! Compilers that do not do what they should. That a real one keeps its limits
//! is tried from outside, with a bomb.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

/// A program that notes that it ran, and then does this.
struct Program {
    directory: tempfile::TempDir,
    workshop: Workshop,
}

impl Program {
    fn new(script: &str, timeout: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("program");
        let runs = directory.path().join("runs");
        let script = format!("#!/bin/sh\necho $$ >> {}\n{script}\n", runs.display());
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        let limits = CompileLimits {
            timeout,
            memory: 7 << 20,
        };
        Self {
            workshop: Workshop::new(&file, limits, Counting::Off, false),
            directory,
        }
    }

    fn compile(&self, bytes: &[u8]) -> Result<Vec<u8>, CompileError> {
        loop {
            let mut code = tempfile::tempfile().unwrap();
            let compiled = self.workshop.compile("hash", bytes, &code);
            match compiled {
                // Another test started a process while the script was written.
                Err(CompileError::Unavailable(reason)) if reason.contains("busy") => continue,
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            let mut written = Vec::new();
            io::Seek::rewind(&mut code).unwrap();
            code.read_to_end(&mut written).unwrap();
            return Ok(written);
        }
    }

    /// The processes that ran.
    fn runs(&self) -> Vec<String> {
        let runs = fs::read_to_string(self.directory.path().join("runs")).unwrap();
        runs.lines().map(str::to_owned).collect()
    }
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn what_a_compiler_writes_is_what_comes_back() {
    let large = vec![b'x'; 1 << 20];
    let program = Program::new("cat", LONG);
    assert_eq!(program.compile(&large), Ok(large));
}

#[test]
fn each_way_to_fail_is_told_and_only_what_costs_much_is_remembered() {
    let memory = "echo memory allocation of 5 bytes failed >&2; kill -ABRT $$";
    for (script, expected, runs) in [
        ("echo malformed: no end >&2; exit 1", "no end", 2),
        (memory, "takes more than 7 MiB", 1),
        ("kill -XCPU $$", "takes longer than 1m", 1),
        (
            "echo; echo panicked >&2; exit 101",
            "exit status: 101: panicked",
            1,
        ),
        ("kill -SEGV $$", "broke down: signal: 11", 1),
        // More than anybody wants to read, and none of the component is taken.
        ("yes >&2 & sleep 0; kill $!; exit 3", "exit status: 3", 1),
    ] {
        let program = Program::new(script, LONG);
        for _ in 0..2 {
            let error = program.compile(&[0; 1 << 20]).unwrap_err().to_string();
            assert!(error.contains(expected), "{script}: {error}");
        }
        assert_eq!(program.runs().len(), runs, "{script}");
    }
    let nobody = Workshop::new(
        Path::new("/not/there"),
        CompileLimits::default(),
        Counting::Off,
        false,
    );
    let error = nobody.compile("hash", b"", &tempfile::tempfile().unwrap());
    assert!(
        matches!(error, Err(CompileError::Unavailable(_))),
        "{error:?}"
    );
}

#[test]
fn one_that_takes_too_long_is_ended_and_waited_for() {
    let program = Program::new("exec sleep 1000", Duration::from_millis(300));
    let error = program.compile(&[0; 1 << 20]).unwrap_err();
    assert_eq!(error, CompileError::Timeout(Duration::from_millis(300)));
    let [process] = &program.runs()[..] else {
        panic!("one process");
    };
    assert!(
        !Path::new("/proc").join(process).exists(),
        "it is still there"
    );
}
