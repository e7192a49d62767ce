/// STARK-Lightning's tracking procedure, as lib/test/tracker/stark_lightning_X_trt.py of researchmm/Stark @ 162e1d3.
///
/// Around the box of the last frame a square is cut out, some times as large as the box, and shown to the network, which
/// answers with the box in it. There is no window, no penalty and no smoothing.
class Tracker {
 public:
  explicit Tracker(Model& network) : network_(network) {}

  Trace* trace = nullptr;  // told of every step where it is set

  /// Show the network the target.
  Status start(const Frame& frame, const Box& box) {
    if (Status status = check_frame(frame); !status.ok()) return status;
    if (Status status = check_box(box, frame); !status.ok()) return status;
    // graphs with masks have black outside the frame, as the official tracker; without, the first frame's mean colour
    fill_ = model::masks ? Colour{} : mean_colour(frame);
    set_box(box);
    Input input;
    if (Status status = template_.look(frame, box_, fill_, trace, input); !status.ok()) return status;
    return network_.show(input);
  }

  /// Go on from this box in the next frame, whatever was seen before; the template stays.
  void set_box(const Box& box) { box_ = box; }

  /// Find the target in the next frame.
  Status step(const Frame& frame, Estimate& estimate) {
    if (Status status = check_frame(frame); !status.ok()) return status;
    Input input;
    Outputs outputs{};
    if (Status status = search_.look(frame, box_, fill_, trace, input); !status.ok()) return status;
    if (Status status = network_.answer(input, outputs); !status.ok()) return status;
    if (Status status = check_outputs(outputs, trace); !status.ok()) return status;
    const Box found = decode(outputs[model::box]);
    box_ = clipped(found, frame);
    estimate = {box_, certainty(outputs[model::score])};
    if (trace != nullptr) {
      const std::array<double, 5> decoded{found.x, found.y, found.w, found.h, estimate.score};
      const std::array<double, 5> end{box_.x, box_.y, box_.w, box_.h, estimate.score};
      trace->values("decode", "boxes", decoded.data(), decoded.size());
      trace->values("update", "cell", cells_.data(), cells_.size());
      trace->values("update", "box", end.data(), end.size());
    }
    return {};
  }

 private:
  static double crop_side(const Box& box, double factor) { return std::ceil(std::sqrt(box.w * box.h) * factor); }

  /// A crop and its mask.
  class View {
   public:
    View(int size, double factor) : size_(size), factor_(factor), cropper_(size) {
      const auto cells = static_cast<std::size_t>((size + model::stride - 1) / model::stride);
      columns_.resize(cells);
      rows_.resize(cells);
      mask_.resize(cells * cells);
    }

    Status look(const Frame& frame, const Box& box, const Colour& fill, Trace* trace, Input& input) {
      // the official code takes one column and one row too few where the square reaches over the frame's edge
      Frame inner = frame;
      --inner.width;
      --inner.height;
      const double side = crop_side(box, factor_);
      const double left = rounded(box.x + 0.5 * box.w - side * 0.5), top = rounded(box.y + 0.5 * box.h - side * 0.5);
      Square square;
      if (Status status = make_square(left, top, side, square); !status.ok()) return status;
      input.image = cropper_.crop(inner, square, fill, trace);
      input.mask = nullptr;
      if (model::masks) {
        mark(columns_, square.left, square.side, inner.width);
        mark(rows_, square.top, square.side, inner.height);
        std::size_t cell = 0;
        for (const bool row : rows_)
          for (const bool column : columns_) mask_[cell++] = row || column ? 1.0F : 0.0F;
        if (trace != nullptr) trace->values("crop", "mask", mask_.data(), mask_.size());
        input.mask = mask_.data();
      }
      return {};
    }

   private:
    /// Which cells' first pixels are made of something outside the frame, in one direction: the official mask is
    /// resized like the picture, and every cell takes what its first pixel then has.
    void mark(std::vector<bool>& outside, std::int64_t low, std::int64_t side, int length) const {
      for (std::size_t cell = 0; cell < outside.size(); ++cell) {
        const int index = static_cast<int>(cell) * model::stride;
        bool any = false;
        for (const std::int64_t at : sources(index, side)) any = any || low + at < 0 || low + at >= length;
        outside[cell] = any;
      }
    }

    /// The pixels of the square that one of the crop is made of.
    [[nodiscard]] std::array<std::int64_t, 2> sources(int index, std::int64_t side) const {
      if (side == size_) return {index, index};
      if (side == 2 * std::int64_t{size_}) return {2 * std::int64_t{index}, 2 * std::int64_t{index} + 1};
      const Resizer::Place place = Resizer::place(index, side, size_);
      const std::int64_t first = std::clamp<std::int64_t>(place.first, 0, side - 1);
      const std::int64_t second = std::clamp<std::int64_t>(place.first + 1, 0, side - 1);
      return {place.weight < 1.0F ? first : second, place.weight > 0.0F ? second : first};
    }

    int size_;
    double factor_;
    Cropper cropper_;
    std::vector<bool> columns_, rows_;
    std::vector<float> mask_;
  };

  /// The box in pixels of the frame, of its middle and sides as shares of the search crop.
  [[nodiscard]] Box decode(const float* shares) const {
    constexpr double size = model::search_size;
    const double scale = size / crop_side(box_, model::search_factor);
    // the network's numbers are float32 until here, as numpy has them
    const auto pixels = [&](float share) {
      return static_cast<double>(share * static_cast<float>(size) / static_cast<float>(scale));
    };
    const double left = box_.x + box_.w / 2 - 0.5 * size / scale, top = box_.y + box_.h / 2 - 0.5 * size / scale;
    const double width = pixels(shares[2]), height = pixels(shares[3]);
    return {left + pixels(shares[0]) - 0.5 * width, top + pixels(shares[1]) - 0.5 * height, width, height};
  }

  /// The box cut off at the frame's edges, of which at least `margin` pixels each way stay inside.
  static Box clipped(const Box& box, const Frame& frame) {
    const auto [left, right] = ends(box.x, box.x + box.w, frame.width);
    const auto [top, bottom] = ends(box.y, box.y + box.h, frame.height);
    return {left, top, std::max(model::margin, right - left), std::max(model::margin, bottom - top)};
  }

  static std::pair<double, double> ends(double low, double high, double length) {
    return {std::min(std::max(0.0, low), length - model::margin), std::min(std::max(model::margin, high), length)};
  }

  /// The share of the best cell in its map, of the less certain corner; the official tracker has no score.
  double certainty(const float* scores) {
    constexpr std::size_t area = model::output_sizes[model::score] / 2;
    double least = 1;
    for (std::size_t corner = 0; corner < cells_.size(); ++corner) {
      const float* map = scores + corner * area;
      const float* best = std::max_element(map, map + area);
      cells_[corner] = static_cast<double>(best - map);
      const double top = *best;
      double sum = 0;
      for (std::size_t i = 0; i < area; ++i) sum += std::exp(map[i] - top);
      least = std::min(least, 1 / sum);
    }
    return least;
  }

  Model& network_;
  View template_{model::template_size, model::template_factor}, search_{model::search_size, model::search_factor};
  Colour fill_{};
  Box box_;
  std::array<double, 2> cells_{};  // the best ones of the last frame, of the upper left and of the lower right corner
};
