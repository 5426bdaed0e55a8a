//! The command line as operators and their scripts see it: the real program, in directories of its own.

mod address;
mod backup;
mod cert;
mod check;
mod delete;
mod eras;
mod found_settings;
mod help;
mod init;
mod interview;
mod man;
mod mounts;
mod parse_errors;
mod password;
mod remedies;
mod start;
mod start_errors;
mod stop;
mod storage_commands;
mod support;
mod systemd;
mod terminal;
