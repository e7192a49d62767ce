/// NanoTrack's own steps, as nano_tracker.py and base_tracker.py of HonglinChu/SiamTrackers @ 248663f have them.
struct Steps {
  static constexpr std::size_t edges = model::loc;

  /// Of the first box only: the middle of the pixels from its first to its last.
  static std::pair<double, double> middle(const Box& box) { return {box.x + (box.w - 1) / 2, box.y + (box.h - 1) / 2}; }

  /// Side of the search crop in pixels of the frame, of the template crop's.
  static double search_side(double context) {
    return rounded(context * (double{model::search_size} / model::template_size));
  }

  /// Left or upper edge of a square around a point: of two nearest pixels the right or lower one.
  static double corner(double centre, double side) { return std::floor(centre - (side + 1) / 2 + 0.5); }

  /// A side of the box, of the last one's and the best cell's.
  static double followed(double old, double best, double rate) { return old * (1 - rate) + best * rate; }

  /// The softmax over background and foreground; nothing where the graph already has it.
  static float score(const float* cls, std::size_t cell, std::size_t cells) {
    const float background = cls[cell], foreground = cls[cells + cell];
    return model::logits ? 1.0F / (1.0F + std::exp(background - foreground)) : foreground;
  }
};
