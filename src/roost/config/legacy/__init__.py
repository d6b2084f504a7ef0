"""The formats that kube-scheduler read before KubeSchedulerConfiguration v1, turned into v1."""
