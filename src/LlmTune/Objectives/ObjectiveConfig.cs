using LlmTune.Config;

namespace LlmTune.Objectives;

/// <summary>What is minimised.</summary>
[Variant("sft", typeof(SftConfig))]
public abstract record ObjectiveConfig;

/// <summary>Supervised fine-tuning: the mean negative log-likelihood of the tokens that are trained on.</summary>
public sealed record SftConfig : ObjectiveConfig;
