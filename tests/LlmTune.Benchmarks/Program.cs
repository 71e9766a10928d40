using System.CommandLine;
using LlmTune.Benchmarks;

return new RootCommand("Benchmarks: each prints one JSON line, to be held against another program in the same run.")
{
    StepBenchmark.Create(), DataBenchmark.Create(), TemplateTable.Create(),
}.Parse(args).Invoke();
