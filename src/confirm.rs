//! Questions to the person at the terminal.

use std::io::{self, BufRead, Write};

/// Shows a prompt and returns the line that was entered, without its end.
pub fn ask(prompt: &str) -> io::Result<String> {
    print!("{prompt}");
    io::stdout().flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no answer on standard input"));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks whether to go on; only `Y` is yes.
pub fn confirmed() -> io::Result<bool> {
    ask("Continue (Y/n): ").map(|answer| answer == "Y")
}
