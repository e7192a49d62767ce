// Squares of frames, resized: reads a frame and squares from standard input, writes pixels, for a comparison with OpenCV.
#include <iostream>

#include "crops.hpp"

int main() {
  int width = 0, height = 0, count = 0;
  std::cin >> width >> height >> count;
  std::vector<std::array<std::int64_t, 7>> squares(static_cast<std::size_t>(count));
  for (auto& square : squares)
    for (auto& value : square) std::cin >> value;
  std::cin.get();
  std::vector<std::uint8_t> bytes(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  std::cin.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const lt::Frame frame{bytes.data(), width, height, 3 * std::ptrdiff_t{width}};
  for (const auto& square : squares) {
    lt::Resizer resizer(static_cast<int>(square[3]));
    const lt::Colour fill{static_cast<std::uint8_t>(square[4]), static_cast<std::uint8_t>(square[5]),
                          static_cast<std::uint8_t>(square[6])};
    const auto& pixels = resizer.resize(frame, {square[0], square[1], square[2]}, fill);
    std::cout.write(reinterpret_cast<const char*>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
  }
}
