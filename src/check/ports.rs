//! Whether the ports can be opened.

use smp_config::settings::Settings;
use smp_transport::listener::{Address, BoundSocket};

use super::report::Report;

const SUBJECT: &str = "ports";

/// Tries every port, unless the server itself has them.
pub fn check(settings: &Settings, runs: bool, report: &mut Report) {
    if runs {
        report.fine(SUBJECT, "the server runs and has them");
        return;
    }
    let mut all_fine = true;
    let transport = &settings.transport;
    for port in transport.ports.iter().chain(&transport.websocket_ports) {
        for ip in transport.bind.addresses() {
            if let Err(error) = BoundSocket::bind(Address::of(ip, *port), false) {
                all_fine = false;
                report.problem(
                    SUBJECT,
                    &error,
                    format_args!("`sudo ss -ltnp 'sport = :{port}'` shows who has it; ports are set in [TRANSPORT]"),
                );
            }
        }
    }
    if all_fine {
        report.fine(SUBJECT, "all can be opened");
    }
}
