// Whether this build tracks as the procedure in Python did when the folder was written: replays golden/, frame by frame.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "ncnn_backend.hpp"

namespace {

constexpr int width = 160, height = 120;  // of the frames
constexpr double least_overlap = 0.999, most_score = 1e-3, most_answer = 1e-3;

/// Passes everything on and keeps the last answer.
class Kept : public lt::Model {
 public:
  explicit Kept(lt::Model& network) : network_(network) {}
  lt::Outputs outputs{};

  lt::Status show(const lt::Input& z) override { return network_.show(z); }
  lt::Status answer(const lt::Input& x, lt::Outputs& answered) override {
    lt::Status status = network_.answer(x, answered);
    outputs = answered;
    return status;
  }

 private:
  lt::Model& network_;
};

std::vector<char> content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

double overlap(const lt::Box& a, const lt::Box& b) {
  const double w = std::min(a.x + a.w, b.x + b.w) - std::max(a.x, b.x);
  const double h = std::min(a.y + a.h, b.y + b.h) - std::max(a.y, b.y);
  return w <= 0 || h <= 0 ? 0 : w * h / (a.w * a.h + b.w * b.h - w * h);
}

/// The largest difference from what is in golden/answer.f32, as a share of each output's range.
lt::Status compare_answer(const std::string& folder, const lt::Outputs& outputs) {
  const std::vector<char> bytes = content(folder + "/answer.f32");
  std::size_t at = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t count = lt::model::output_sizes[i];
    if (bytes.size() < at + count * sizeof(float)) return {folder + "/answer.f32 is too short"};
    std::vector<float> golden(count);
    std::memcpy(golden.data(), bytes.data() + at, count * sizeof(float));
    at += count * sizeof(float);
    const auto [low, high] = std::minmax_element(golden.begin(), golden.end());
    double worst = 0;
    for (std::size_t k = 0; k < count; ++k) worst = std::max<double>(worst, std::abs(golden[k] - outputs[i][k]));
    const double share = worst / std::max<double>(*high - *low, 1e-30);
    std::cout << "model: " << lt::model::output_names[i] << " is off by " << share << " of its range\n";
    if (!(share <= most_answer)) return {"the model answers otherwise than it did in Python"};
  }
  return {};
}

/// Every step from the recorded box before it.
lt::Status replay(const std::string& folder, lt::Model& network) {
  const std::vector<char> frames = content(folder + "/frames.bgr");
  constexpr std::size_t size = std::size_t{3} * width * height;
  std::ifstream table(folder + "/track.csv");
  std::string line;
  std::getline(table, line);  // titles
  Kept kept(network);
  auto tracker = std::make_unique<lt::Tracker>(kept);
  lt::Box before;
  double least = 1, score = 0;
  std::size_t index = 0;
  for (; std::getline(table, line); ++index) {
    double number = 0;
    lt::Estimate golden, found;
    if (std::sscanf(line.c_str(), "%lf,%lf,%lf,%lf,%lf,%lf", &number, &golden.box.x, &golden.box.y, &golden.box.w,
                    &golden.box.h, &golden.score) != 6 ||
        frames.size() < (index + 1) * size) {
      return {folder + " is damaged"};
    }
    const auto* data = reinterpret_cast<const std::uint8_t*>(frames.data()) + index * size;
    const lt::Frame frame{data, width, height, 3 * width};
    if (index == 0) {
      if (lt::Status status = tracker->start(frame, golden.box); !status.ok()) return status;
    } else {
      if (index > 1) tracker->set_box(before);
      if (lt::Status status = tracker->step(frame, found); !status.ok()) return status;
      least = std::min(least, overlap(found.box, golden.box));
      score = std::max(score, std::abs(found.score - golden.score));
    }
    if (index == 1) {
      if (lt::Status status = compare_answer(folder, kept.outputs); !status.ok()) return status;
    }
    before = golden.box;
  }
  std::cout << "track: " << index << " frames, least overlap " << least << ", scores differ by " << score << '\n';
  if (index < 2) return {folder + " has no recorded track"};
  if (!(least >= least_overlap && score <= most_score)) return {"the tracker moves otherwise than the one in Python"};
  return {};
}

}  // namespace

int main(int count, char** words) {
  const std::string golden = count > 1 ? words[1] : "golden", models = count > 2 ? words[2] : lt::model::folder;
  lt::NcnnModel network;
  lt::Status status = network.load(models, {});
  if (status.ok()) status = replay(golden, network);
  if (!status.ok()) std::cerr << "check: " << status.message << '\n';
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
