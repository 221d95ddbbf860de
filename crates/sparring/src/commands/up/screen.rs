//! `sparring up` on a terminal: the whole stack on one screen, drawn once a second.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::Method;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table, TableState};
use ratatui::{DefaultTerminal, Frame};
use serde_json::{Value, json};
use service_runtime::Shutdown;
use simulated_server::AdminClient;
use tokio::sync::mpsc;

use super::systems::Systems;
use super::view::{Counts, DetectorRow, View, bound};
use crate::client;

/// The overlay by which a key makes a detector fail.
const OVERLAY: &str = "sparring-up";
const EVERY: Duration = Duration::from_secs(1);
/// The interval between checks for keys.
const KEYS_EVERY: Duration = Duration::from_millis(100);

/// A detector and its admin API.
struct Detector {
    name: String,
    admin: AdminClient,
}

/// The action of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Up,
    Down,
    /// Makes the chosen detector fail, or reverts that.
    Toggle,
    Quit,
    /// The terminal has another size.
    Resize,
}

/// Shows the stack until `shutdown`, which the keys q and Ctrl-C request.
///
/// # Errors
/// The terminal cannot be used.
pub async fn show(
    url: &str,
    detectors: &[(String, SocketAddr)],
    mut systems: Systems,
    shutdown: &Shutdown,
) -> io::Result<()> {
    let detector = |(name, address): &(String, SocketAddr)| Detector {
        name: name.clone(),
        admin: AdminClient::new(&address.to_string()),
    };
    let detectors: Vec<Detector> = detectors.iter().map(detector).collect();
    let names: Vec<String> = detectors.iter().map(|one| one.name.clone()).collect();
    let mut terminal = ratatui::try_init()?;
    let _restored = Restored;
    let mut keys = Keys::listen();
    let metrics = format!("{url}/metrics");
    let title = format!("sparring  {url}");
    let mut shown = Screen::new(&title);
    let (mut before, mut since) = (Counts::default(), Instant::now());
    let mut ticks = tokio::time::interval(EVERY);
    while !shutdown.is_cancelled() {
        let key = tokio::select! {
            () = shutdown.cancelled() => break,
            key = keys.next() => key,
            _ = ticks.tick() => {
                if let Ok(text) = client::get_text(&metrics).await {
                    let now = Counts::read(&text);
                    shown.view = now.since(&before, since.elapsed(), &names);
                    (before, since) = (now, Instant::now());
                }
                for (row, detector) in shown.view.detectors.iter_mut().zip(&detectors) {
                    row.faults = faults(&detector.admin).await;
                }
                shown.systems = systems.line().trim_start_matches("; ").to_owned();
                None
            }
        };
        match key {
            Some(Key::Quit) => shutdown.cancel(),
            Some(Key::Up) => shown.choose(-1),
            Some(Key::Down) => shown.choose(1),
            Some(Key::Toggle) => {
                let at = shown.table.selected().unwrap_or(0);
                if let Some(detector) = detectors.get(at) {
                    shown.said = toggle(detector).await;
                }
            }
            Some(Key::Resize) | None => {}
        }
        draw(&mut terminal, &mut shown)?;
    }
    Ok(())
}

/// Restores the terminal, also after an error.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn draw(terminal: &mut DefaultTerminal, shown: &mut Screen) -> io::Result<()> {
    terminal.draw(|frame| shown.draw(frame)).map(drop)
}

/// The names of the overlays over a detector's profile.
async fn faults(admin: &AdminClient) -> Vec<String> {
    let state = admin.send(Method::GET, "", None).await.unwrap_or_default();
    let overlays = state["overlays"].as_array().into_iter().flatten();
    overlays
        .filter_map(|overlay| overlay["name"].as_str().map(str::to_owned))
        .collect()
}

/// Makes a detector fail every time, or reverts that; returns a message.
async fn toggle(detector: &Detector) -> String {
    let is_failing = faults(&detector.admin)
        .await
        .iter()
        .any(|name| name == OVERLAY);
    let path = format!("/overlays/{OVERLAY}");
    let patch: Value = json!({ "success_rate": 0.0 });
    let done = match is_failing {
        true => detector.admin.send(Method::DELETE, &path, None).await,
        false => detector.admin.send(Method::PUT, &path, Some(&patch)).await,
    };
    match (done, is_failing) {
        (Ok(_), true) => format!("{} answers again", detector.name),
        (Ok(_), false) => format!("{} fails every time", detector.name),
        (Err(error), _) => format!("{}: {error}", detector.name),
    }
}

/// Reads keys on a separate thread, since reading blocks.
struct Keys {
    keys: mpsc::Receiver<Key>,
    over: Arc<AtomicBool>,
}

impl Keys {
    fn listen() -> Self {
        let (pressed, keys) = mpsc::channel(16);
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let key = match event::poll(KEYS_EVERY) {
                    Ok(true) => event::read().ok().and_then(|event| key(&event)),
                    Ok(false) => None,
                    // The terminal is gone.
                    Err(_) => return,
                };
                // Keys are dropped while the screen is busy.
                if key.is_some_and(|key| pressed.try_send(key).is_err() && pressed.is_closed()) {
                    return;
                }
            }
        });
        Self { keys, over }
    }

    async fn next(&mut self) -> Option<Key> {
        match self.keys.recv().await {
            None => std::future::pending().await,
            key => key,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn key(event: &Event) -> Option<Key> {
    let pressed = match event {
        Event::Resize(..) => return Some(Key::Resize),
        Event::Key(key) if key.kind == KeyEventKind::Press => key,
        _ => return None,
    };
    match pressed.code {
        KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char('q') => Some(Key::Quit),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        KeyCode::Enter | KeyCode::Char(' ') => Some(Key::Toggle),
        _ => None,
    }
}

/// The content of the screen.
struct Screen {
    title: String,
    view: View,
    /// The simulated systems of the stack.
    systems: String,
    /// The message about the last key.
    said: String,
    table: TableState,
}

impl Screen {
    fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            view: View::default(),
            systems: String::new(),
            said: String::new(),
            table: TableState::default().with_selected(0),
        }
    }

    fn choose(&mut self, by: isize) {
        let last = self.view.detectors.len().saturating_sub(1);
        let at = self.table.selected().unwrap_or(0).saturating_add_signed(by);
        self.table.select(Some(at.min(last)));
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let line = Constraint::Length(1);
        let heights = [line, line, line, Constraint::Min(0), line, line];
        let areas = Layout::vertical(heights).split(frame.area());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(
            Paragraph::new(Line::styled(self.title.as_str(), bold)),
            areas[0],
        );
        frame.render_widget(Paragraph::new(self.figures(areas[1].width)), areas[1]);
        frame.render_widget(Paragraph::new(self.failures()), areas[2]);
        let columns = columns(areas[3].width);
        let names = columns.iter().map(|column| column.name);
        let rows = self.view.detectors.iter().map(|it| row(it, &columns));
        let widths: Vec<Constraint> = columns.iter().map(|column| column.width).collect();
        let table = Table::new(rows, widths)
            .header(Row::new(names).style(bold))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_stateful_widget(table, areas[3], &mut self.table);
        frame.render_widget(Paragraph::new(self.systems.as_str()), areas[4]);
        let keys = "↑ ↓ choose  space fail or recover  q quit";
        let last = if self.said.is_empty() {
            keys.to_owned()
        } else {
            format!("{}  |  {keys}", self.said)
        };
        frame.render_widget(Paragraph::new(last), areas[5]);
    }

    /// As many of the figures as fit; the most important ones come first.
    fn figures(&self, width: u16) -> Line<'_> {
        const GAP: usize = 2;
        let view = &self.view;
        let [p50, p95, p99] = view.percentiles.map(bound);
        let all = [
            format!("{:.1} requests/s", view.requests_per_s),
            format!("p50 {p50}"),
            format!("p95 {p95}"),
            format!("p99 {p99}"),
            format!("{:.1} errors/s", view.errors_per_s),
            format!("{:.0} % partial", 100.0 * view.partial_share),
            format!("{:.0} in flight", view.in_flight),
        ];
        let (mut chosen, mut used) = ([false; 7], 0);
        for place in [0, 2, 4, 1, 3, 5, 6] {
            let length = all[place].chars().count() + if used > 0 { GAP } else { 0 };
            if used > 0 && used + length > usize::from(width) {
                break;
            }
            used += length;
            chosen[place] = true;
        }
        let shown = all
            .into_iter()
            .zip(chosen)
            .filter(|(_, is_chosen)| *is_chosen);
        let shown: Vec<String> = shown.map(|(figure, _)| figure).collect();
        Line::from(shown.join("  "))
    }

    fn failures(&self) -> Line<'_> {
        if self.view.failures.is_empty() {
            return Line::from("no failed calls");
        }
        let all = self.view.failures.iter();
        let all: Vec<String> = all
            .map(|(class, rate)| format!("{class} {rate:.1}/s"))
            .collect();
        let text = format!("failed calls: {}", all.join("  "));
        Line::from(Span::styled(text, Style::new().fg(Color::Red)))
    }
}

/// A column of the table of detectors.
struct Column {
    name: &'static str,
    width: Constraint,
    cell: fn(&DetectorRow) -> String,
    /// The minimum width of a terminal on which the column is shown.
    from: u16,
}

/// The columns that fit completely.
fn columns(width: u16) -> Vec<Column> {
    let length = Constraint::Length(9);
    let column = |name, width, from, cell| Column {
        name,
        width,
        cell,
        from,
    };
    let mut columns = vec![
        column("detector", Constraint::Min(16), 0, |it| it.name.clone()),
        column("breaker", length, 26, |it| it.breaker.clone()),
        column("calls/s", length, 57, |it| format!("{:.1}", it.calls_per_s)),
        column("failed/s", length, 36, |it| {
            format!("{:.1}", it.failures_per_s)
        }),
        column("faults", Constraint::Min(10), 47, |it| it.faults.join(", ")),
    ];
    columns.retain(|column| column.from <= width);
    columns
}

fn row(detector: &DetectorRow, columns: &[Column]) -> Row<'static> {
    let colour = match detector.breaker.as_str() {
        "open" => Style::new().fg(Color::Red),
        "half_open" => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    };
    Row::new(columns.iter().map(|column| (column.cell)(detector))).style(colour)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn screen() -> Screen {
        let detector = |name: &str, breaker: &str, faults: &[&str]| DetectorRow {
            name: name.to_owned(),
            breaker: breaker.to_owned(),
            calls_per_s: 12.5,
            failures_per_s: 3.0,
            faults: faults.iter().map(|name| (*name).to_owned()).collect(),
        };
        let mut screen = Screen::new("sparring  http://127.0.0.1:8000");
        screen.view = View {
            requests_per_s: 42.0,
            partial_share: 0.25,
            errors_per_s: 0.5,
            in_flight: 7.0,
            percentiles: [Some(25.0), Some(100.0), None],
            failures: vec![("timeout".to_owned(), 3.0)],
            detectors: vec![
                detector("mock-detector-fast", "closed", &[]),
                detector("mock-detector-failing", "open", &["sparring-up", "slow"]),
            ],
        };
        screen
    }

    /// The lines of a terminal of that size.
    fn drawn(screen: &mut Screen, (width, height): (u16, u16)) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| screen.draw(frame)).expect("drawn");
        let buffer = terminal.backend().buffer().clone();
        let lines = buffer.content.chunks(usize::from(width));
        lines
            .map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect())
            .collect()
    }

    #[test]
    fn the_screen_has_rates_percentiles_breakers_failures_and_faults() {
        let text = drawn(&mut screen(), (100, 20)).join("\n");
        for part in [
            "42.0 requests/s  p50 ≤ 25 ms  p95 ≤ 100 ms  p99 -  0.5 errors/s  25 % partial  7 in flight",
            "failed calls: timeout 3.0/s",
            "mock-detector-failing",
            "open",
            "sparring-up, slow",
            "space fail or recover",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
    }

    #[test]
    fn a_small_terminal_cuts_lines_and_never_wraps_them() {
        for size in [(40, 10), (20, 6), (1, 1), (200, 3)] {
            let lines = drawn(&mut screen(), size);
            assert_eq!(lines.len(), usize::from(size.1));
            let begins = lines.iter().filter(|line| line.starts_with("42.0")).count();
            assert!(begins <= 1, "{lines:?}");
        }
        let lines = drawn(&mut screen(), (80, 10));
        let whole = "42.0 requests/s  p50 ≤ 25 ms  p95 ≤ 100 ms  p99 -  0.5 errors/s  25 % partial";
        assert_eq!(lines[1].trim_end(), whole);
        let lines = drawn(&mut screen(), (40, 10));
        assert_eq!(lines[1].trim_end(), "42.0 requests/s  p95 ≤ 100 ms");
        assert!(
            lines[1].starts_with("42.0 requests/s") && lines[2].starts_with("failed"),
            "{lines:?}"
        );
    }

    #[test]
    fn columns_without_room_are_left_out_instead_of_cut() {
        let heading = |width| {
            let lines = drawn(&mut screen(), (width, 10));
            let words = lines[3].split_whitespace().map(str::to_owned);
            words.collect::<Vec<String>>().join(" ")
        };
        assert_eq!(heading(80), "detector breaker calls/s failed/s faults");
        assert_eq!(heading(50), "detector breaker failed/s faults");
        assert_eq!(heading(40), "detector breaker failed/s");
        assert_eq!(heading(20), "detector");
    }

    #[test]
    fn the_choice_stays_among_the_detectors() {
        let mut screen = screen();
        screen.choose(-1);
        assert_eq!(screen.table.selected(), Some(0));
        screen.choose(1);
        screen.choose(1);
        assert_eq!(screen.table.selected(), Some(1));
    }
}
