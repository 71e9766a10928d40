using LlmTune.Native;
using TorchSharp;

Console.WriteLine(Libtorch.Load());
Console.WriteLine(torch.ones(2, 3).sum().ToSingle());
