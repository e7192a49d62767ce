/// The tracking procedure of siamese trackers.
///
/// Around the box of the last frame a square is cut out and shown to the network, which answers for a grid of cells: how
/// much each looks like the target, and how far the target's edges are from it. Cells that would change the box's size
/// or shape a lot count less, cells near the middle count more; the best one moves the box, and its score says how fast
/// the size follows. What differs between families is in Steps.
class Tracker {
 public:
  explicit Tracker(Model& network) : network_(network) {
    for (int i = 0; i < cells; ++i) {  // numpy.hanning
      const double angle = pi * (1 - cells + 2 * i) / (cells - 1);
      hanning_[static_cast<std::size_t>(i)] = cells == 1 ? 1.0 : 0.5 + 0.5 * std::cos(angle);
    }
  }

  Trace* trace = nullptr;  // told of every step where it is set

  /// Show the network the target.
  Status start(const Frame& frame, const Box& box) {
    if (Status status = check_frame(frame); !status.ok()) return status;
    if (Status status = check_box(box, frame); !status.ok()) return status;
    fill_ = mean_colour(frame);
    set_box(box);
    // the middle of the first frame's box is not that of later ones in every official tracker
    std::tie(x_, y_) = Steps::middle(box);
    Square square;
    if (Status status = square_around(rounded(context()), square); !status.ok()) return status;
    return network_.show({template_.crop(frame, square, fill_, trace), nullptr});
  }

  /// Go on from this box in the next frame, whatever was seen before; the template stays.
  void set_box(const Box& box) {
    x_ = box.x + box.w / 2;
    y_ = box.y + box.h / 2;
    width_ = box.w;
    height_ = box.h;
  }

  /// Find the target in the next frame.
  Status step(const Frame& frame, Estimate& estimate) {
    if (Status status = check_frame(frame); !status.ok()) return status;
    Square square;
    if (Status status = square_around(Steps::search_side(context()), square); !status.ok()) return status;
    Outputs outputs{};
    const Input input{search_.crop(frame, square, fill_, trace), nullptr};
    if (Status status = network_.answer(input, outputs); !status.ok()) return status;
    if (Status status = check_outputs(outputs, trace); !status.ok()) return status;
    follow(outputs, frame, estimate);
    return {};
  }

 private:
  static constexpr int cells = model::score_size;
  static constexpr std::size_t area = static_cast<std::size_t>(cells) * cells;
  static constexpr double pi = 3.14159265358979323846;
  static constexpr double penalty_context = 0.5;  // of width + height; the official code has it apart from context_amount

  /// What one cell proposes, in pixels of the search crop.
  struct Proposal {
    double left = 0, top = 0, right = 0, bottom = 0;
    float score = 0;
  };

  /// The side of a square with the area of a box and its context.
  static double context_side(double width, double height, double amount) {
    const double context = amount * (width + height);
    return std::sqrt((width + context) * (height + context));
  }

  /// How many times larger or smaller: never below 1.
  static double change(double ratio) { return std::max(ratio, 1 / ratio); }

  [[nodiscard]] double context() const { return context_side(width_, height_, model::context_amount); }

  /// Crop pixels per frame pixel.
  [[nodiscard]] double scale() const { return model::template_size / context(); }

  [[nodiscard]] Status square_around(double side, Square& square) const {
    return make_square(Steps::corner(x_, side), Steps::corner(y_, side), side, square);
  }

  /// Decode: the boxes and the scores of all cells.
  void decode(const Outputs& outputs) {
    constexpr int middle = model::search_size / 2;
    const float* edges = outputs[Steps::edges];
    for (int row = 0; row < cells; ++row) {
      const double y = (row - cells / 2) * model::stride + middle;
      for (int column = 0; column < cells; ++column) {
        const double x = (column - cells / 2) * model::stride + middle;
        const auto cell = static_cast<std::size_t>(row * cells + column);
        proposals_[cell] = {x - edges[cell], y - edges[area + cell], x + edges[2 * area + cell],
                            y + edges[3 * area + cell], Steps::score(outputs[model::cls], cell, area)};
      }
    }
  }

  /// Penalty: 1 for a box of the old size and shape, less for others; 0 for one without area.
  void penalise() {
    const double old_width = width_ * scale(), old_height = height_ * scale();
    const double old_side = context_side(old_width, old_height, penalty_context);
    for (std::size_t cell = 0; cell < area; ++cell) {
      const Proposal& one = proposals_[cell];
      const double width = one.right - one.left, height = one.bottom - one.top;
      penalties_[cell] = 0;
      if (!(width > 0 && height > 0)) continue;
      const double size = change(context_side(width, height, penalty_context) / old_side);
      const double shape = change((old_width / old_height) / (width / height));
      penalties_[cell] = std::exp(-(shape * size - 1) * model::penalty_k);
    }
  }

  /// Window: cells near the middle of the crop rank higher.
  void rank() {
    constexpr double influence = model::window_influence;
    for (std::size_t row = 0; row < cells; ++row) {
      for (std::size_t column = 0; column < cells; ++column) {
        const std::size_t cell = row * cells + column;
        const double window = hanning_[row] * hanning_[column];
        ranks_[cell] = penalties_[cell] * proposals_[cell].score * (1 - influence) + window * influence;
      }
    }
  }

  /// Update: the best cell moves the box.
  void follow(const Outputs& outputs, const Frame& frame, Estimate& estimate) {
    decode(outputs);
    penalise();
    rank();
    const auto best = static_cast<std::size_t>(std::max_element(ranks_.begin(), ranks_.end()) - ranks_.begin());
    const Proposal& one = proposals_[best];
    const double scale = this->scale(), middle = model::search_size / 2;
    const double rate = penalties_[best] * one.score * model::lr;
    const double x = x_ + ((one.left + one.right) / 2 - middle) / scale;
    const double y = y_ + ((one.top + one.bottom) / 2 - middle) / scale;
    const double width = Steps::followed(width_, (one.right - one.left) / scale, rate);
    const double height = Steps::followed(height_, (one.bottom - one.top) / scale, rate);
    x_ = clamped(x, 0, frame.width);
    y_ = clamped(y, 0, frame.height);
    width_ = clamped(width, model::smallest_side, frame.width);
    height_ = clamped(height, model::smallest_side, frame.height);
    estimate = {{x_ - width_ / 2, y_ - height_ / 2, width_, height_}, one.score};
    if (trace != nullptr) tell(estimate, best);
  }

  void tell(const Estimate& estimate, std::size_t best) const {
    std::array<double, 5 * area> decoded{};
    for (std::size_t cell = 0; cell < area; ++cell) {
      const Proposal& one = proposals_[cell];
      const std::array<double, 5> values{one.left, one.top, one.right, one.bottom, one.score};
      for (std::size_t i = 0; i < values.size(); ++i) decoded[i * area + cell] = values[i];
    }
    const std::array<double, 5> end{estimate.box.x, estimate.box.y, estimate.box.w, estimate.box.h, estimate.score};
    trace->values("decode", "boxes", decoded.data(), decoded.size());
    trace->values("penalty", "penalties", penalties_.data(), penalties_.size());
    trace->values("window", "ranks", ranks_.data(), ranks_.size());
    const double cell = static_cast<double>(best);
    trace->values("update", "cell", &cell, 1);
    trace->values("update", "box", end.data(), end.size());
  }

  Model& network_;
  Cropper template_{model::template_size}, search_{model::search_size};
  Colour fill_{};
  double x_ = 0, y_ = 0, width_ = 0, height_ = 0;  // of the box: its middle and its sides
  std::array<double, cells> hanning_{};
  std::array<Proposal, area> proposals_{};
  std::array<double, area> penalties_{}, ranks_{};
};
