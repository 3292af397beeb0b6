//! Where a contender runs: its folder, its ports, its processor. Made by `start`.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use super::contender::Contender;

/// Ports are taken from here on: below those that the system hands out to
/// clients, so that no load in progress takes one of them.
const FIRST_PORT: u16 = 18_500;

/// Who runs on which processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pinning {
    /// A contender has processor 1 for itself; origin and load share 0.
    Apart,
    /// Wherever the system puts them.
    None,
}

impl Pinning {
    /// Apart where that is possible: one worker, two processors, and `taskset`.
    pub(crate) fn possible(workers: u16) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let taskset = Command::new("taskset").arg("--version").output();
        match workers == 1 && processors > 1 && taskset.is_ok() {
            true => Self::Apart,
            false => Self::None,
        }
    }

    /// A command for a contender.
    pub(crate) fn contender(self, program: &Path) -> Command {
        self.command(program, "1")
    }

    /// A command for origin or load.
    pub(crate) fn load(self, program: &Path) -> Command {
        self.command(program, "0")
    }

    fn command(self, program: &Path, processor: &str) -> Command {
        match self {
            Self::None => Command::new(program),
            Self::Apart => {
                let mut command = Command::new("taskset");
                command.args(["-c", processor]).arg(program);
                command
            }
        }
    }
}

/// Ports that nobody listens on, each once.
pub(crate) struct Ports(u16);

impl Ports {
    pub(crate) fn new() -> Self {
        Self(FIRST_PORT)
    }

    pub(crate) fn take(&mut self) -> Result<u16> {
        while self.0 < u16::MAX {
            let port = self.0;
            self.0 += 1;
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return Ok(port);
            }
        }
        bail!("there is no free port above {FIRST_PORT}");
    }
}

/// What only one contender in one run knows.
pub(crate) struct Site<'a> {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) admin_port: u16,
    pub(crate) origin_ports: [u16; 2],
    pub(crate) workers: u16,
    pub(crate) plugins: &'a Path,
    pub(crate) user: &'a str,
}

impl Site<'_> {
    /// Writes the contender's configuration, and has it prepare itself.
    pub(crate) fn furnish(&self, contender: &Contender) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        let file = self.configuration(contender);
        fs::write(&file, self.fill(&contender.configuration, &file))
            .with_context(|| format!("cannot write {}", file.display()))?;
        if contender.preparation.is_empty() {
            return Ok(());
        }
        let mut command = Command::new(&contender.program);
        let arguments = contender.preparation.iter();
        command.args(arguments.map(|text| self.fill(text, &file)));
        let prepared = command.output().context("cannot be started")?;
        let complaint = String::from_utf8_lossy(&prepared.stderr);
        ensure!(prepared.status.success(), "{}", complaint.trim());
        Ok(())
    }

    /// How the contender is started.
    pub(crate) fn command(&self, contender: &Contender, pinning: Pinning) -> Command {
        let file = self.configuration(contender);
        let mut command = pinning.contender(&contender.program);
        command.args(
            contender
                .arguments
                .iter()
                .map(|text| self.fill(text, &file)),
        );
        command
    }

    fn configuration(&self, contender: &Contender) -> PathBuf {
        self.folder.join(contender.file)
    }

    fn fill(&self, text: &str, configuration: &Path) -> String {
        let values = [
            ("@CONFIGURATION@", configuration.display().to_string()),
            ("@FOLDER@", self.folder.display().to_string()),
            ("@PLUGINS@", self.plugins.display().to_string()),
            ("@USER@", self.user.to_owned()),
            ("@PORT@", self.port.to_string()),
            ("@ADMIN_PORT@", self.admin_port.to_string()),
            ("@ORIGIN_PORT@", self.origin_ports[0].to_string()),
            ("@SECOND_PORT@", self.origin_ports[1].to_string()),
            ("@WORKERS@", self.workers.to_string()),
        ];
        let mut text = text.to_owned();
        for (name, value) in values {
            text = text.replace(name, &value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::{own, peers};

    #[test]
    fn no_placeholder_is_left() {
        let site = Site {
            folder: "/folder".into(),
            port: 1,
            admin_port: 2,
            origin_ports: [3, 4],
            workers: 5,
            plugins: Path::new("/plugins"),
            user: "user",
        };
        let mut contenders = own::contenders(Path::new("portcullis"));
        contenders.extend(peers::installed().0);
        for contender in contenders {
            let mut texts = vec![&*contender.configuration];
            texts.extend(contender.arguments.iter().chain(contender.preparation));
            for text in texts {
                // Envoy's own configuration has a key that begins with one.
                let text = site.fill(text, Path::new("/file")).replace("\"@type\"", "");
                assert!(!text.contains('@'), "{}: {text}", contender.id);
            }
        }
    }

    #[test]
    fn ports_are_handed_out_once() {
        let mut ports = Ports::new();
        assert_ne!(ports.take().unwrap(), ports.take().unwrap());
    }
}
