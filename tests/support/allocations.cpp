// How often the steps of a tracker take memory, after the first: prints the number. The model is a table of numbers.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <new>

#include "tracker.hpp"

static long taken = 0;

void* operator new(std::size_t size) {
  ++taken;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

class Table : public lt::Model {
 public:
  Table() {
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      numbers_[i].resize(lt::model::output_sizes[i]);
      for (std::size_t k = 0; k < numbers_[i].size(); ++k) numbers_[i][k] = 0.25F + 0.001F * static_cast<float>(k % 97);
    }
  }
  lt::Status show(const lt::Input&) override { return {}; }
  lt::Status answer(const lt::Input&, lt::Outputs& outputs) override {
    for (std::size_t i = 0; i < numbers_.size(); ++i) outputs[i] = numbers_[i].data();
    return {};
  }

 private:
  std::array<std::vector<float>, lt::model::output_count> numbers_;
};

}  // namespace

int main() {
  Table network;
  auto tracker = std::make_unique<lt::Tracker>(network);
  const std::vector<std::uint8_t> pixels(3 * 320 * 240, 90);
  const lt::Frame frame{pixels.data(), 320, 240, 3 * 320};
  lt::Estimate estimate;
  if (!tracker->start(frame, {100, 80, 60, 40}).ok() || !tracker->step(frame, estimate).ok()) return 1;
  const long before = taken;
  for (int i = 0; i < 20; ++i) {
    if (!tracker->step(frame, estimate).ok()) return 1;
  }
  std::cout << taken - before << '\n';
}
