// Tracks a target through a video, a camera's pictures, or raw frames from standard input.
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>

#include "ncnn_backend.hpp"

#ifdef LT_WITH_OPENCV
#include <opencv2/highgui.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#endif

namespace {

const std::string usage =
    "usage: lighttrack VIDEO|CAMERA|--raw WxH [options]\n"
    "  VIDEO          a video, a camera's number or an address; needs OpenCV\n"
    "  --raw WxH      frames from standard input, rows of blue, green, red bytes\n"
    "  --box X,Y,W,H  the target in the first frame, in pixels; drawn with the mouse without it\n"
    "  --csv FILE     box and score of every frame\n"
    "  --model DIR    folder with the models (default: " +
    std::string(lt::model::folder) +
    ")\n"
    "  --show         a window with the box; q or Escape ends it\n"
    "  --lost S       score below which the target counts as lost\n"
    "  --threads N    of the network (default: 1)\n"
    "  --half         half precision kernels where the CPU has them\n"
    "  --vulkan       the GPU, where ncnn was built for it\n"
    "to compare trackers:\n"
    "  --boxes FILE   x,y,w,h a line, of every frame but the last: the next one goes on from there\n"
    "  --trace FILE   every step of the procedure, as numbers\n"
    "  --trace-every N  that only of the first frame and every Nth, of the others the best cell\n";

struct Arguments {
  std::string source, box, csv, model = lt::model::folder, boxes, trace;
  int raw_width = 0, raw_height = 0, trace_every = 1;
  double lost = 0;
  bool show = false, help = false;
  lt::NcnnModel::Options options;
};

/// Frames, one after the other.
class Source {
 public:
  virtual ~Source() = default;
  /// The next one, valid until the next call; at the end `frame.data` is null.
  virtual lt::Status next(lt::Frame& frame) = 0;
};

class RawSource : public Source {
 public:
  RawSource(int width, int height)
      : width_(width), height_(height), bytes_(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {}

  lt::Status next(lt::Frame& frame) override {
    frame = {};
    const std::size_t count = std::fread(bytes_.data(), 1, bytes_.size(), stdin);
    if (count == 0) return {};
    if (count < bytes_.size()) {
      return {"standard input ends in the middle of a frame: " + std::to_string(count) + " of " +
              std::to_string(bytes_.size()) + " bytes"};
    }
    frame = {bytes_.data(), width_, height_, 3 * std::ptrdiff_t{width_}};
    return {};
  }

 private:
  int width_, height_;
  std::vector<std::uint8_t> bytes_;
};

#ifdef LT_WITH_OPENCV
class VideoSource : public Source {
 public:
  lt::Status open(const std::string& name) {
    const bool camera = !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
    if (!(camera ? capture_.open(std::atoi(name.c_str())) : capture_.open(name))) return {name + ": cannot be opened"};
    return {};
  }

  lt::Status next(lt::Frame& frame) override {
    frame = {};
    if (!capture_.read(picture_) || picture_.empty()) return {};
    if (picture_.type() != CV_8UC3) return {"the video's frames are not 8 bits in 3 channels"};
    frame = {picture_.data, picture_.cols, picture_.rows, static_cast<std::ptrdiff_t>(picture_.step)};
    return {};
  }

 private:
  cv::VideoCapture capture_;
  cv::Mat picture_;
};
#endif

/// Every step of the procedure in a file: a line "frame stage name type count", then the numbers as they are.
class FileTrace : public lt::Trace {
 public:
  explicit FileTrace(const std::string& path) : file_(path, std::ios::binary) {}
  [[nodiscard]] bool ok() const { return static_cast<bool>(file_); }
  int frame = 0;
  bool whole = true;  // else the best cell only

  void values(const char* stage, const char* name, const std::uint8_t* data, std::size_t count) override {
    write(stage, name, "uint8", data, count);
  }
  void values(const char* stage, const char* name, const float* data, std::size_t count) override {
    write(stage, name, "float32", data, count);
  }
  void values(const char* stage, const char* name, const double* data, std::size_t count) override {
    write(stage, name, "float64", data, count);
  }

 private:
  template <class Number>
  void write(const char* stage, const char* name, const char* type, const Number* data, std::size_t count) {
    if (!whole && std::strcmp(name, "cell") != 0) return;
    file_ << frame << ' ' << stage << ' ' << name << ' ' << type << ' ' << count << '\n';
    file_.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(count * sizeof(Number)));
  }

  std::ofstream file_;
};

/// Numbers with a separator between them and nothing else.
bool numbers(const std::string& text, char separator, double* values, int count) {
  const char* at = text.c_str();
  for (int i = 0; i < count; ++i) {
    if (i > 0 && *at++ != separator) return false;
    char* end = nullptr;
    values[i] = std::strtod(at, &end);
    if (end == at || !std::isfinite(values[i])) return false;
    at = end;
  }
  return *at == '\0' || *at == '\r';
}

bool whole(const std::string& text, int low, int high, int& value) {
  double number = 0;
  if (!numbers(text, ',', &number, 1) || number != std::floor(number) || number < low || number > high) return false;
  value = static_cast<int>(number);
  return true;
}

lt::Status parse_value(const std::string& name, const std::string& value, Arguments& arguments) {
  if (name == "--box") return arguments.box = value, lt::Status{};
  if (name == "--csv") return arguments.csv = value, lt::Status{};
  if (name == "--model") return arguments.model = value, lt::Status{};
  if (name == "--boxes") return arguments.boxes = value, lt::Status{};
  if (name == "--trace") return arguments.trace = value, lt::Status{};
  if (name == "--lost") {
    const bool fits = numbers(value, ',', &arguments.lost, 1) && arguments.lost >= 0 && arguments.lost <= 1;
    return {fits ? "" : "--lost " + value + ": expected a score from 0 to 1"};
  }
  if (name == "--threads") {
    return {whole(value, 1, 1024, arguments.options.threads) ? "" : "--threads " + value + ": expected 1 to 1024"};
  }
  if (name == "--trace-every") {
    return {whole(value, 1, 1 << 30, arguments.trace_every) ? "" : "--trace-every " + value + ": expected 1 or more"};
  }
  if (name == "--raw") {
    double sides[2];
    if (!numbers(value, 'x', sides, 2) || !whole(std::to_string(sides[0]), 1, 32767, arguments.raw_width) ||
        !whole(std::to_string(sides[1]), 1, 32767, arguments.raw_height)) {
      return {"--raw " + value + ": expected width and height, for example 640x480"};
    }
    return {};
  }
  return {name + ": unknown option"};
}

lt::Status parse(int count, char** words, Arguments& arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "-h" || word == "--help") {
      arguments.help = true;
      return {};
    }
    if (word == "--show") {
      arguments.show = true;
    } else if (word == "--half") {
      arguments.options.half = true;
    } else if (word == "--vulkan") {
      arguments.options.vulkan = true;
    } else if (word.rfind("--", 0) == 0) {
      if (i + 1 == count) return {word + ": unknown option, or its value is missing"};
      if (lt::Status status = parse_value(word, words[++i], arguments); !status.ok()) return status;
    } else if (arguments.source.empty()) {
      arguments.source = word;
    } else {
      return {word + ": expected one video or camera"};
    }
  }
  if (arguments.source.empty() == (arguments.raw_width == 0)) return {"pass a video, a camera or --raw WxH"};
  return {};
}

lt::Status open(const Arguments& arguments, std::unique_ptr<Source>& source) {
  if (arguments.raw_width > 0) {
    source = std::make_unique<RawSource>(arguments.raw_width, arguments.raw_height);
    return {};
  }
#ifdef LT_WITH_OPENCV
  auto video = std::make_unique<VideoSource>();
  if (lt::Status status = video->open(arguments.source); !status.ok()) return status;
  source = std::move(video);
  return {};
#else
  return {arguments.source + ": this program was built without OpenCV; pipe frames in with --raw WxH"};
#endif
}

lt::Status first_box(const Arguments& arguments, const lt::Frame& frame, lt::Box& box) {
  double values[4];
  if (!arguments.box.empty()) {
    if (!numbers(arguments.box, ',', values, 4)) return {"--box " + arguments.box + ": expected x,y,w,h"};
    box = {values[0], values[1], values[2], values[3]};
    return {};
  }
#ifdef LT_WITH_OPENCV
  if (arguments.raw_width == 0) {
    const cv::Mat picture(frame.height, frame.width, CV_8UC3, const_cast<std::uint8_t*>(frame.data),
                          static_cast<std::size_t>(frame.stride));
    const cv::Rect drawn = cv::selectROI("lighttrack: draw the box, then press Enter", picture, false);
    cv::destroyAllWindows();
    box = {double(drawn.x), double(drawn.y), double(drawn.width), double(drawn.height)};
    return {};
  }
#endif
  static_cast<void>(frame);
  return {"pass the target in the first frame: --box X,Y,W,H"};
}

/// Show a frame with its box; false when the user has seen enough.
bool shown(const lt::Frame& frame, const lt::Estimate& estimate, bool lost) {
#ifdef LT_WITH_OPENCV
  cv::Mat picture;
  cv::Mat(frame.height, frame.width, CV_8UC3, const_cast<std::uint8_t*>(frame.data),
          static_cast<std::size_t>(frame.stride))
      .copyTo(picture);
  const lt::Box& box = estimate.box;
  cv::rectangle(picture, cv::Rect(int(box.x), int(box.y), int(box.w), int(box.h)),
                lost ? cv::Scalar(0, 0, 255) : cv::Scalar(0, 255, 0), 2);
  cv::imshow("lighttrack", picture);
  const int key = cv::waitKey(1) & 255;
  return key != 'q' && key != 27;
#else
  static_cast<void>(frame);
  static_cast<void>(estimate);
  static_cast<void>(lost);
  return true;
#endif
}

lt::Status read_boxes(const std::string& path, std::vector<lt::Box>& boxes) {
  std::ifstream file(path);
  if (!file) return {path + ": cannot be read"};
  double values[4];
  for (std::string line; std::getline(file, line);) {
    if (!numbers(line, ',', values, 4)) return {path + ": line " + std::to_string(boxes.size() + 1) + " is no x,y,w,h"};
    boxes.push_back({values[0], values[1], values[2], values[3]});
  }
  return {};
}

lt::Status run(const Arguments& arguments) {
#ifndef LT_WITH_OPENCV
  if (arguments.show) return {"--show: this program was built without OpenCV"};
#endif
  std::vector<lt::Box> boxes;
  if (!arguments.boxes.empty()) {
    if (lt::Status status = read_boxes(arguments.boxes, boxes); !status.ok()) return status;
  }
  lt::NcnnModel network;
  if (lt::Status status = network.load(arguments.model, arguments.options); !status.ok()) return status;
  std::unique_ptr<Source> source;
  if (lt::Status status = open(arguments, source); !status.ok()) return status;
  std::ofstream csv;
  if (!arguments.csv.empty()) {
    csv.open(arguments.csv);
    if (!csv) return {arguments.csv + ": cannot be written"};
  }
  std::unique_ptr<FileTrace> trace;
  if (!arguments.trace.empty()) {
    trace = std::make_unique<FileTrace>(arguments.trace);
    if (!trace->ok()) return {arguments.trace + ": cannot be written"};
  }
  std::ostream& table = arguments.csv.empty() ? std::cout : csv;
  table.precision(17);  // of a double: nothing is lost

  auto tracker = std::make_unique<lt::Tracker>(network);
  tracker->trace = trace.get();
  lt::Estimate estimate;
  lt::Frame frame;
  int index = 0, lost_frames = 0;
  std::chrono::duration<double> seconds{0};
  for (;; ++index) {
    if (lt::Status status = source->next(frame); !status.ok()) return status;
    if (frame.data == nullptr) break;
    if (trace) trace->frame = index;
    if (trace) trace->whole = index % arguments.trace_every == 0;
    lt::Status status;
    if (index == 0) {
      if (status = first_box(arguments, frame, estimate.box); !status.ok()) return status;
      estimate.score = 1;
      status = tracker->start(frame, estimate.box);
      table << "frame,x,y,w,h,score\n";
    } else {
      const auto row = static_cast<std::size_t>(index - 1);
      if (!boxes.empty() && row >= boxes.size()) return {arguments.boxes + ": has too few lines"};
      // the first step begins where start() left the tracker, which need not be the middle of that box
      if (!boxes.empty() && index > 1) tracker->set_box(boxes[row]);
      const auto begin = std::chrono::steady_clock::now();
      status = tracker->step(frame, estimate);
      seconds += std::chrono::steady_clock::now() - begin;
    }
    if (!status.ok()) return {"frame " + std::to_string(index) + ": " + status.message};
    const bool lost = estimate.score < arguments.lost;
    lost_frames += lost ? 1 : 0;
    const lt::Box& box = estimate.box;
    table << index << ',' << box.x << ',' << box.y << ',' << box.w << ',' << box.h << ',' << estimate.score << '\n';
    if (arguments.show && !shown(frame, estimate, lost)) break;
  }
  if (index == 0) return {"no frame could be read"};
  table.flush();
  if (!table) return {"the table cannot be written: " + std::string(std::strerror(errno))};
  if (trace && !trace->ok()) return {arguments.trace + ": cannot be written"};
  std::cerr << index << " frames";
  if (index > 1) std::cerr << ", " << 1000 * seconds.count() / (index - 1) << " ms a frame";
  if (arguments.lost > 0) std::cerr << ", lost in " << lost_frames;
  std::cerr << '\n';
  return {};
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  lt::Status status = parse(count, words, arguments);
  const bool understood = status.ok();
  if (arguments.help) {
    std::cout << usage;
    return 0;
  }
  if (understood) status = run(arguments);
  if (status.ok()) return 0;
  std::cerr << "lighttrack: " << status.message << '\n';
  if (!understood) std::cerr << usage;
  return understood ? 1 : 2;
}
