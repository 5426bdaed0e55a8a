//! What is said to, and asked of, the person or the script at the terminal.

use std::fmt::Display;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

/// Writes a line to standard output. That nobody reads it is no reason to fail, as `println!` would.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

/// Writes `Error: <text>` to standard error.
pub fn fail(error: impl Display) -> ExitCode {
    // If standard error is closed, the exit code has to say it all.
    let _ = writeln!(io::stderr(), "Error: {error}");
    ExitCode::FAILURE
}

/// Shows a prompt and returns the line that was entered, without its end.
pub fn ask(prompt: &str) -> io::Result<String> {
    let mut output = io::stdout();
    write!(output, "{prompt}")?;
    output.flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        // What follows begins on a line of its own.
        say!();
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "standard input ended before the answer"));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks whether to go on; only `Y` is yes.
pub fn confirmed() -> io::Result<bool> {
    ask("Continue (Y/n): ").map(|answer| answer == "Y")
}
