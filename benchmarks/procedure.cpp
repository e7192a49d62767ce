// CPU time of every step of a tracker, and of the model in it, for benchmarks/procedure.py: takes the place of main.cpp.
// usage: program --raw WxH --model DIR --box X,Y,W,H --csv FILE < frames
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>

#include "ncnn_backend.hpp"

namespace {

/// Milliseconds of this thread, in which the model runs, too.
double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
}

class Timed : public lt::Model {
 public:
  explicit Timed(lt::Model& network) : network_(network) {}
  double spent = 0;

  lt::Status show(const lt::Input& z) override { return network_.show(z); }
  lt::Status answer(const lt::Input& x, lt::Outputs& outputs) override {
    const double begin = now();
    lt::Status status = network_.answer(x, outputs);
    spent = now() - begin;
    return status;
  }

 private:
  lt::Model& network_;
};

}  // namespace

int main(int count, char** words) {
  int width = 0, height = 0;
  lt::Box box;
  if (count != 9 || std::sscanf(words[2], "%dx%d", &width, &height) != 2 ||
      std::sscanf(words[6], "%lf,%lf,%lf,%lf", &box.x, &box.y, &box.w, &box.h) != 4) {
    return 2;
  }
  lt::NcnnModel network;
  lt::Status status = network.load(words[4], {});
  Timed timed(network);
  auto tracker = std::make_unique<lt::Tracker>(timed);
  std::vector<std::uint8_t> bytes(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  std::ofstream table(words[8]);
  const lt::Frame frame{bytes.data(), width, height, 3 * std::ptrdiff_t{width}};
  for (int index = 0; status.ok() && std::fread(bytes.data(), 1, bytes.size(), stdin) == bytes.size(); ++index) {
    if (index == 0) {
      status = tracker->start(frame, box);
      continue;
    }
    lt::Estimate estimate;
    const double begin = now();
    status = tracker->step(frame, estimate);
    table << now() - begin << ',' << timed.spent << '\n';
  }
  if (!status.ok()) std::cerr << status.message << '\n';
  return status.ok() ? 0 : 1;
}
