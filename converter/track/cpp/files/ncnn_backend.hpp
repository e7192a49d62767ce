// The tracker's network in ncnn (https://github.com/Tencent/ncnn). Which graph takes and gives which blob stands in
// tracker.hpp; another runtime is another class with the same two calls.
#pragma once

#include <datareader.h>
#include <net.h>

#include "tracker.hpp"

namespace lt {

class NcnnModel : public Model {
 public:
  /// half: ncnn's half precision kernels where the CPU has them; vulkan: the GPU where ncnn was built for it.
  struct Options {
    int threads = 1;
    bool half = false, vulkan = false;
  };

  /// Read the models from the folder of the export.
  Status load(const std::string& folder, const Options& options) {
#if !NCNN_VULKAN
    if (options.vulkan) return {"this ncnn was built without Vulkan"};
#endif
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      std::vector<unsigned char> param;
      if (Status status = read_model_file(folder, model::nets[i].param, param); !status.ok()) return status;
      if (Status status = read_model_file(folder, model::nets[i].weights, weights_[i]); !status.ok()) return status;
      param.push_back(0);
      ncnn::Option& opt = nets_[i].opt;
      opt.num_threads = options.threads;
      opt.use_vulkan_compute = options.vulkan;
      opt.use_fp16_packed = opt.use_fp16_storage = opt.use_fp16_arithmetic = options.half;
      opt.use_bf16_storage = false;
      const unsigned char* start = weights_[i].data();  // ncnn refers to it as long as the net lives
      if (nets_[i].load_param_mem(reinterpret_cast<const char*>(param.data())) != 0 ||
          nets_[i].load_model(ncnn::DataReaderFromMemory(start)) != 0) {
        return {std::string("ncnn does not load ") + model::nets[i].param.name};
      }
    }
    crops_ = {ncnn::Mat(model::template_size, model::template_size, 3),
              ncnn::Mat(model::search_size, model::search_size, 3)};
    for (std::size_t i = 0; i < model::output_count; ++i) outputs_[i].resize(model::output_sizes[i]);
    return {};
  }

  Status show(const Input& z) override {
    feed(z, crops_[0], model::template_size, model::z, model::z_mask);
    return run(true);
  }

  Status answer(const Input& x, Outputs& outputs) override {
    feed(x, crops_[1], model::search_size, model::x, model::x_mask);
    if (Status status = run(false); !status.ok()) return status;
    for (std::size_t i = 0; i < model::output_count; ++i) {
      const ncnn::Mat& mat = tensors_[i];
      const std::size_t plane = static_cast<std::size_t>(mat.w) * static_cast<std::size_t>(mat.h);
      if (mat.dims > 3 || plane * static_cast<std::size_t>(mat.c) != outputs_[i].size() || mat.elemsize != 4) {
        return {std::string("the model's ") + model::output_names[i] + " has another shape than its manifest says"};
      }
      for (int c = 0; c < mat.c; ++c)  // ncnn may leave gaps between planes
        std::memcpy(outputs_[i].data() + static_cast<std::size_t>(c) * plane, mat.channel(c), plane * sizeof(float));
      outputs[i] = outputs_[i].data();
    }
    return {};
  }

 private:
  void feed(const Input& input, ncnn::Mat& crop, int size, std::size_t image, std::size_t mask) {
    const std::size_t plane = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    for (int c = 0; c < 3; ++c)
      std::memcpy(crop.channel(c), input.image + static_cast<std::size_t>(c) * plane, plane * sizeof(float));
    tensors_[image] = crop;
    if (input.mask == nullptr) return;
    const int cells = (size + model::stride - 1) / model::stride;
    tensors_[mask] = ncnn::Mat(cells * cells, const_cast<float*>(input.mask)).clone();
  }

  /// The graphs that run once for a template, or those that run for every frame.
  Status run(bool once) {
    for (std::size_t graph = 0; graph < model::graphs.size(); ++graph) {
      if (model::graphs[graph].once != once) continue;
      ncnn::Extractor extractor = nets_[model::graphs[graph].net].create_extractor();
      for (const model::Blob& blob : model::blobs) {
        if (blob.graph != graph) continue;
        ncnn::Mat& tensor = tensors_[blob.tensor];
        const int code = blob.input ? extractor.input(blob.name, tensor) : extractor.extract(blob.name, tensor);
        if (code != 0 || tensor.empty()) {
          return {std::string("ncnn: blob ") + blob.name + " failed with code " + std::to_string(code)};
        }
      }
    }
    return {};
  }

  std::array<std::vector<unsigned char>, model::nets.size()> weights_;
  std::array<ncnn::Net, model::nets.size()> nets_;
  std::array<ncnn::Mat, 2> crops_;
  std::array<ncnn::Mat, model::tensor_count> tensors_;
  std::array<std::vector<float>, model::output_count> outputs_;
};

}  // namespace lt
