//! Pictures of series.

use std::path::Path;

use plotters::prelude::*;

use crate::scenario::Failure;
use crate::series::Series;

const SIZE: (u32, u32) = (900, 540);
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0xd6, 0x27, 0x28),
    RGBColor(0x2c, 0xa0, 0x2c),
    RGBColor(0xff, 0x7f, 0x0e),
    RGBColor(0x94, 0x67, 0xbd),
    RGBColor(0x8c, 0x56, 0x4b),
];

/// Draws series with the same axes into one SVG file.
pub fn draw(title: &str, series: &[Series], file: &Path) -> Result<(), Failure> {
    let Some(Series { axes: [x, y], .. }) = series.first() else {
        return Err(Failure::Plot("this scenario has nothing to draw, or --pid is missing".to_owned()));
    };
    let failed = |error: &dyn std::fmt::Display| Failure::Plot(format!("cannot draw {}: {error}", file.display()));
    let highest =
        |of: fn(&(f64, f64)) -> f64| series.iter().flat_map(|s| &s.points).map(of).fold(1e-3, f64::max) * 1.05;
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..highest(|point| point.0), 0.0..highest(|point| point.1))
        .map_err(|error| failed(&error))?;
    chart.configure_mesh().x_desc(*x).y_desc(*y).draw().map_err(|error| failed(&error))?;
    for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let points = || series.points.iter().copied();
        let line = chart.draw_series(LineSeries::new(points(), colour.stroke_width(2)));
        line.map_err(|error| failed(&error))?
            .label(&series.name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        let marks = points().map(|point| Circle::new(point, 3, colour.filled()));
        chart.draw_series(marks).map_err(|error| failed(&error))?;
    }
    let labels = chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw();
    labels.map_err(|error| failed(&error))?;
    area.present().map_err(|error| failed(&error))
}
