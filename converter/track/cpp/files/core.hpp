/// What went wrong, in one line; nothing where `ok()`.
struct Status {
  std::string message;
  [[nodiscard]] bool ok() const { return message.empty(); }
};

/// A picture in memory: rows of blue, green, red bytes, `stride` bytes from one row to the next.
struct Frame {
  const std::uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  std::ptrdiff_t stride = 0;
};

/// A rectangle in pixels of the frame: left and upper edge, width and height.
struct Box {
  double x = 0, y = 0, w = 0, h = 0;
};

/// Where the target is seen, and how sure that is, 0 to 1.
struct Estimate {
  Box box;
  double score = 0;
};

/// What a model is shown: a crop as the network takes it, 3 planes of template_size or search_size squared; and where the
/// graphs take a mask (else null) one value per cell, 1 for a cell outside the frame, 0 for one inside.
struct Input {
  const float* image = nullptr;
  const float* mask = nullptr;
};

/// The outputs of a model, each without gaps between its planes; valid until the next call.
using Outputs = std::array<const float*, model::output_count>;

/// A tracker's network: all that a runtime has to offer.
class Model {
 public:
  virtual ~Model() = default;
  /// Remember a template crop of model::template_size.
  virtual Status show(const Input& z) = 0;
  /// Answer for a search crop of model::search_size; the outputs have the sizes of model::output_sizes.
  virtual Status answer(const Input& x, Outputs& outputs) = 0;
};

/// Told of every step, to compare trackers; a tracker works without.
class Trace {
 public:
  virtual ~Trace() = default;
  virtual void values(const char* stage, const char* name, const std::uint8_t* data, std::size_t count) = 0;
  virtual void values(const char* stage, const char* name, const float* data, std::size_t count) = 0;
  virtual void values(const char* stage, const char* name, const double* data, std::size_t count) = 0;
};

/// To the nearest whole number, of two the even one, as Python's round().
inline double rounded(double value) { return std::nearbyint(value); }

inline double clamped(double value, double low, double high) { return std::max(low, std::min(high, value)); }

inline bool finite(const Box& box) {
  return std::isfinite(box.x) && std::isfinite(box.y) && std::isfinite(box.w) && std::isfinite(box.h);
}

inline Status check_frame(const Frame& frame) {
  constexpr int largest = 32767;  // as OpenCV's coordinates of a picture
  if (frame.data == nullptr || frame.width < 1 || frame.height < 1) return {"the frame is empty"};
  if (frame.width > largest || frame.height > largest) return {"the frame has a side of more than 32767 pixels"};
  if (frame.stride < 3 * std::ptrdiff_t{frame.width}) return {"the frame's rows are shorter than its width"};
  return {};
}

/// Whether a tracker can start from a box: it may reach over the frame's edge, as targets do.
inline Status check_box(const Box& box, const Frame& frame) {
  if (!finite(box)) return {"the box is not four finite numbers"};
  const double x = box.x + box.w / 2, y = box.y + box.h / 2;
  if (x < 0 || x > frame.width || y < 0 || y > frame.height) return {"the middle of the box lies outside the frame"};
  if (box.w > frame.width || box.h > frame.height) return {"the box is larger than the frame"};
  if (box.w < 1 || box.h < 1) return {"the box is smaller than a pixel"};
  return {};
}

using Colour = std::array<std::uint8_t, 3>;  // blue, green, red

/// The mean of a frame with its fractions cut off: the colour of what lies outside of later frames.
inline Colour mean_colour(const Frame& frame) {
  std::array<std::uint64_t, 3> sums{};
  for (int y = 0; y < frame.height; ++y) {
    const std::uint8_t* row = frame.data + y * frame.stride;
    for (int x = 0; x < frame.width; ++x)
      for (std::size_t c = 0; c < 3; ++c) sums[c] += row[3 * x + static_cast<int>(c)];
  }
  const auto pixels = static_cast<std::uint64_t>(frame.width) * static_cast<std::uint64_t>(frame.height);
  Colour colour{};
  for (std::size_t c = 0; c < 3; ++c) colour[c] = static_cast<std::uint8_t>(sums[c] / pixels);
  return colour;
}

/// A square of a frame; it may lie partly or wholly outside.
struct Square {
  std::int64_t left = 0, top = 0, side = 0;
};

/// A square, unless it is so large or so far away that its pixels cannot be counted.
inline Status make_square(double left, double top, double side, Square& square) {
  constexpr double limit = 1 << 24;
  if (!(side >= 1)) return {"the box has no area to cut out"};
  if (!(side <= limit && std::abs(left) <= limit && std::abs(top) <= limit)) {
    return {"the box is too large or too far from the frame"};
  }
  square = {static_cast<std::int64_t>(left), static_cast<std::int64_t>(top), static_cast<std::int64_t>(side)};
  return {};
}

/// Cuts squares out of frames and resizes them, byte for byte as cv2.resize does with INTER_LINEAR on 8 bits.
///
/// OpenCV weighs two columns with weights of 11 bits, then two rows of such sums, of which 4 bits are dropped first;
/// a square of exactly twice the size is averaged, and one of the same size is copied. Nothing is copied out of the
/// frame before: what lies outside of it is one colour.
class Resizer {
 public:
  explicit Resizer(int size)
      : size_(size),
        columns_(static_cast<std::size_t>(size)),
        rows_(static_cast<std::size_t>(size)),
        sums_{std::vector<int>(3 * static_cast<std::size_t>(size)), std::vector<int>(3 * static_cast<std::size_t>(size))},
        pixels_(3 * static_cast<std::size_t>(size) * static_cast<std::size_t>(size)) {}

  /// (size, size, 3) bytes, in the order of the frame's channels; valid until the next call.
  const std::vector<std::uint8_t>& resize(const Frame& frame, const Square& square, const Colour& fill) {
    frame_ = &frame;
    square_ = square;
    fill_ = fill;
    if (square.side == size_) {
      average(1, 0, 0);
    } else if (square.side == 2 * std::int64_t{size_}) {
      average(2, 2, 2);
    } else {
      interpolate();
    }
    return pixels_;
  }

  /// The two neighbours that a pixel of the result lies between, with the second one's weight, 0 to 1.
  struct Place {
    std::int64_t first = 0;
    float weight = 0;
  };

  static Place place(int index, std::int64_t source, int size) {
    const double scale = 1.0 / (static_cast<double>(size) / static_cast<double>(source));
    const auto at = static_cast<float>((index + 0.5) * scale - 0.5);
    const float whole = std::floor(at);
    return {static_cast<std::int64_t>(whole), at - whole};
  }

 private:
  static constexpr float one = 2048;  // 11 bits

  struct Weighted {
    std::int64_t first = 0, second = 0;  // indices in the square; columns: bytes in a row of the frame, below 0 outside
    int first_weight = 0, second_weight = 0;
  };

  static Weighted weighted(std::int64_t first, float weight, std::int64_t source) {
    return {std::clamp<std::int64_t>(first, 0, source - 1), std::clamp<std::int64_t>(first + 1, 0, source - 1),
            static_cast<int>(std::lrint((1.0F - weight) * one)), static_cast<int>(std::lrint(weight * one))};
  }

  [[nodiscard]] const std::uint8_t* row_of(std::int64_t y) const {
    y += square_.top;
    return y < 0 || y >= frame_->height ? nullptr : frame_->data + y * frame_->stride;
  }

  [[nodiscard]] std::int64_t offset_of(std::int64_t x) const {
    x += square_.left;
    return x < 0 || x >= frame_->width ? -1 : 3 * x;
  }

  [[nodiscard]] const std::uint8_t* pixel(const std::uint8_t* row, std::int64_t offset) const {
    return row == nullptr || offset < 0 ? fill_.data() : row + offset;
  }

  /// The mean of `step` x `step` pixels.
  void average(int step, int rounding, int shift) {
    std::uint8_t* out = pixels_.data();
    for (int y = 0; y < size_; ++y) {
      for (int x = 0; x < size_; ++x, out += 3) {
        std::array<int, 3> sums{};
        for (int dy = 0; dy < step; ++dy) {
          const std::uint8_t* row = row_of(std::int64_t{y} * step + dy);
          for (int dx = 0; dx < step; ++dx) {
            const std::uint8_t* from = pixel(row, offset_of(std::int64_t{x} * step + dx));
            for (std::size_t c = 0; c < 3; ++c) sums[c] += from[c];
          }
        }
        for (std::size_t c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>((sums[c] + rounding) >> shift);
      }
    }
  }

  void interpolate() {
    for (int i = 0; i < size_; ++i) {
      const Place at = place(i, square_.side, size_);
      // OpenCV treats the two directions differently at the edges: a column beyond an edge is the edge's own, while a
      // row beyond an edge stays a sum of twice the edge's row, which rounds otherwise.
      const bool beyond = at.first < 0 || at.first >= square_.side - 1;
      Weighted column = weighted(at.first, beyond ? 0.0F : at.weight, square_.side);
      column.first = offset_of(column.first);
      column.second = offset_of(column.second);
      columns_[static_cast<std::size_t>(i)] = column;
      rows_[static_cast<std::size_t>(i)] = weighted(at.first, at.weight, square_.side);
    }
    std::array<std::int64_t, 2> held{-1, -1};  // which rows of the square the sums are of
    std::uint8_t* out = pixels_.data();
    for (const Weighted& row : rows_) {
      if (held[1] == row.first) {
        std::swap(sums_[0], sums_[1]);
        std::swap(held[0], held[1]);
      }
      if (held[0] != row.first) add_columns(row.first, sums_[0]);
      if (held[1] != row.second) add_columns(row.second, sums_[1]);
      held = {row.first, row.second};
      const int* upper = sums_[0].data();
      const int* lower = sums_[1].data();
      const int above = row.first_weight, below = row.second_weight;
      for (int i = 0; i < 3 * size_; ++i) {
        const int sum = ((above * (upper[i] >> 4)) >> 16) + ((below * (lower[i] >> 4)) >> 16);
        out[i] = static_cast<std::uint8_t>((sum + 2) >> 2);
      }
      out += 3 * size_;
    }
  }

  void add_columns(std::int64_t y, std::vector<int>& sums) const {
    const std::uint8_t* row = row_of(y);
    int* sum = sums.data();
    for (const Weighted& column : columns_) {
      const std::uint8_t* left = pixel(row, column.first);
      const std::uint8_t* right = pixel(row, column.second);
      for (int c = 0; c < 3; ++c) sum[c] = left[c] * column.first_weight + right[c] * column.second_weight;
      sum += 3;
    }
  }

  int size_;
  std::vector<Weighted> columns_, rows_;
  std::array<std::vector<int>, 2> sums_;
  std::vector<std::uint8_t> pixels_;
  const Frame* frame_ = nullptr;
  Square square_;
  Colour fill_{};
};

/// Bytes to what the network takes: planes in its order of channels, (value - mean) / deviation of values in its range.
class Normaliser {
 public:
  Normaliser() {
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t byte = 0; byte < 256; ++byte) {
        const float scaled = static_cast<float>(byte) / 255.0F * model::pixel_range + model::pixel_low;
        table_[c][byte] = (scaled - model::mean[c]) / model::deviation[c];
      }
    }
  }

  void normalise(const std::vector<std::uint8_t>& pixels, std::vector<float>& planes) const {
    const std::size_t count = pixels.size() / 3;
    for (std::size_t c = 0; c < 3; ++c) {
      const std::size_t channel = model::rgb ? 2 - c : c;  // frames are blue, green, red
      const std::array<float, 256>& table = table_[c];
      float* plane = planes.data() + c * count;
      for (std::size_t i = 0; i < count; ++i) plane[i] = table[pixels[3 * i + channel]];
    }
  }

 private:
  std::array<std::array<float, 256>, 3> table_{};
};

/// A crop on its way from a frame to a model.
class Cropper {
 public:
  explicit Cropper(int size)
      : resizer_(size), planes_(3 * static_cast<std::size_t>(size) * static_cast<std::size_t>(size)) {}

  /// (3, size, size) floats, valid until the next call.
  const float* crop(const Frame& frame, const Square& square, const Colour& fill, Trace* trace) {
    const std::vector<std::uint8_t>& pixels = resizer_.resize(frame, square, fill);
    normaliser_.normalise(pixels, planes_);
    if (trace != nullptr) {
      const std::array<double, 6> geometry{
          static_cast<double>(square.left), static_cast<double>(square.top), static_cast<double>(square.side),
          static_cast<double>(fill[0]),     static_cast<double>(fill[1]),    static_cast<double>(fill[2])};
      trace->values("crop", "square", geometry.data(), geometry.size());
      trace->values("resize", "pixels", pixels.data(), pixels.size());
      trace->values("normalisation", "planes", planes_.data(), planes_.size());
    }
    return planes_.data();
  }

 private:
  Resizer resizer_;
  Normaliser normaliser_;
  std::vector<float> planes_;
};

/// What a model answered, unless a number of it is NaN or infinite.
inline Status check_outputs(const Outputs& outputs, Trace* trace) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const float* values = outputs[i];
    if (trace != nullptr) trace->values("model", model::output_names[i], values, model::output_sizes[i]);
    for (std::size_t k = 0; k < model::output_sizes[i]; ++k)
      if (!std::isfinite(values[k])) return {std::string("the model's ") + model::output_names[i] + " is not finite"};
  }
  return {};
}

/// The sha256 of bytes, in hexadecimal (FIPS 180-4).
inline std::string sha256(const std::vector<unsigned char>& bytes) {
  static constexpr std::array<std::uint32_t, 64> k{
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  std::array<std::uint32_t, 8> state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const auto turned = [](std::uint32_t value, int bits) { return (value >> bits) | (value << (32 - bits)); };
  const std::size_t padded = (bytes.size() + 9 + 63) / 64 * 64;
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  const auto byte_at = [&](std::size_t i) -> std::uint32_t {
    if (i < bytes.size()) return bytes[i];
    if (i == bytes.size()) return 0x80;
    return i < padded - 8 ? 0 : static_cast<std::uint32_t>((bits >> (8 * (padded - 1 - i))) & 0xff);
  };
  for (std::size_t block = 0; block < padded; block += 64) {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t i = 0; i < 16; ++i) {
      const std::size_t at = block + 4 * i;
      w[i] = byte_at(at) << 24 | byte_at(at + 1) << 16 | byte_at(at + 2) << 8 | byte_at(at + 3);
    }
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t a = turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const std::uint32_t b = turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    std::array<std::uint32_t, 8> s = state;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t e = turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25);
      const std::uint32_t first = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
      const std::uint32_t a = turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22);
      const std::uint32_t second = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
      s = {first + second, s[0], s[1], s[2], s[3] + first, s[4], s[5], s[6]};
    }
    for (std::size_t i = 0; i < 8; ++i) state[i] += s[i];
  }
  std::string text;
  for (const std::uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[(word >> shift) & 15];
  return text;
}

/// A file of the export, whole; refused when it is not the one that this header was generated for.
inline Status read_model_file(const std::string& folder, const model::File& file, std::vector<unsigned char>& bytes) {
  const std::string path = folder + "/" + file.name;
  std::FILE* stream = std::fopen(path.c_str(), "rb");
  if (stream == nullptr) return {path + ": cannot be read"};
  bytes.resize(file.bytes + 1);
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), stream));
  std::fclose(stream);
  if (bytes.size() != file.bytes || sha256(bytes) != file.sha256) {
    return {path + ": is not the file that this tracker was generated for (other size or sha256); run lt-cpp again"};
  }
  return {};
}
