/// LightTrack's own steps, as lib/tracker/lighttrack.py of researchmm/LightTrack @ 39c426f has them.
struct Steps {
  static constexpr std::size_t edges = model::reg;

  static std::pair<double, double> middle(const Box& box) { return {box.x + box.w / 2, box.y + box.h / 2}; }

  /// Side of the search crop in pixels of the frame, of the template crop's. Halves are rounded up here, and to the
  /// even number for the template: the official code goes through int(x + 0.5) and numpy's round.
  static double search_side(double context) {
    const double scale = model::template_size / context;
    return std::floor(context + 2 * ((model::search_size - model::template_size) / 2.0 / scale) + 0.5);
  }

  /// Left or upper edge of a square around a point.
  static double corner(double centre, double side) { return rounded(centre - (side + 1) / 2); }

  /// A side of the box, of the last one's and the best cell's: smoothed twice, as the official code does.
  static double followed(double old, double best, double rate) {
    return (1 - rate) * old + rate * (rate * best + (1 - rate) * old);
  }

  /// The sigmoid of a logit; nothing where the graph already has it.
  static float score(const float* cls, std::size_t cell, std::size_t) {
    return model::logits ? 1.0F / (1.0F + std::exp(-cls[cell])) : cls[cell];
  }
};
