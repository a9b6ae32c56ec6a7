// Reader of an exported TorchScript file in C++, in the order in which DDML calls libtorch.
// Usage: reader FILE.pt SHOWERS OUTPUT_SIZE OUT VALUE,VALUE,... [VALUE,...] (a tensor each)
#include <torch/script.h>
#include <torch/torch.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const c10::InferenceMode guard;
  torch::set_num_threads(1);
  torch::jit::script::Module module = torch::jit::load(argv[1]);
  const int showers = std::atoi(argv[2]);
  std::vector<float> output(std::atoi(argv[3]));
  std::ofstream file(argv[4], std::ios::binary);
  for (int shower = 0; shower < showers; ++shower) {
    std::vector<std::vector<float>> values;
    std::vector<torch::jit::IValue> inputs;
    for (int i = 5; i < argc; ++i) {
      std::stringstream words(argv[i]);
      values.emplace_back();
      for (std::string word; std::getline(words, word, ',');) values.back().push_back(std::stof(word));
      const long n = static_cast<long>(values.back().size());
      inputs.push_back(torch::tensor(values.back()).view({1, n}));
    }
    const at::Tensor tensor = module.forward(inputs).toTensor();
    const float* data = tensor.data_ptr<float>();
    for (std::size_t i = 0; i < output.size(); ++i) output[i] = data[i];
    file.write(reinterpret_cast<const char*>(output.data()), output.size() * sizeof(float));
  }
  return 0;
}
